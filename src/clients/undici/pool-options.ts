import type { Pool } from 'undici';

/**
 * Options of undici's `Pool`, for the connections to each instance: `connections`, `connect` (with `ca`, `cert`, `key`),
 * `allowH2`, `keepAliveTimeout`, `pipelining` and the rest.
 */
export type FairleadPoolOptions = Pool.Options;
