import { hostname } from 'node:os';
import { realEnv } from '../../../src/env.js';
import { InvalidOptionError } from '../../../src/errors.js';
import type { Env } from '../../../src/types.js';
import {
  checkFunction,
  checkKeys,
  checkNumber,
  checkString,
  isObject,
} from '../../../src/validate.js';
import {
  AGENT_KEYS,
  type AgentOptions,
  type AgentSettings,
  readAgentOptions,
} from '../agent-options.js';

/**
 * The token needs `session:write` for the agent's node, and `key:read` and `key:write` for the key. Who leads is decided
 * in the agent's own datacenter: a session belongs to a node of it.
 */
export interface ElectionOptions extends AgentOptions {
  /** The key that the leader locks, the same for all candidates, and used for nothing else: `service/orders/leader`. */
  readonly key: string;
  /**
   * Consul gives up the session of a candidate that it has not heard for so long, 10,000 to 86,400,000 ms, and in fact
   * up to twice as long. A leader renews each third of it and steps down after two. Default 15,000.
   */
  readonly sessionTtlMs?: number | undefined;
  /**
   * For so long nobody can lead after a leader whose session Consul gave up early (a critical check, a destroyed
   * session), 0 to 60,000 ms: time for it to notice. Default: as long as `sessionTtlMs`, 60,000 at most.
   *
   * With less than two thirds of `sessionTtlMs` it does not hold that two never lead at a time by their own clocks: a
   * leader that is cut off as its session is given up goes on for the difference. So it is with every `sessionTtlMs` above
   * 90,000, for Consul keeps no lock-delay above 60,000.
   */
  readonly lockDelayMs?: number | undefined;
  /** What the key says while this candidate leads, such as its address, up to 512 KiB. Default: host name and process id. */
  readonly value?: string | undefined;
  /**
   * Ids of health checks at the agent's node, such as `service:orders-1`: while one is critical the candidate cannot
   * lead. Default: the health of the node alone.
   */
  readonly checks?: readonly string[] | undefined;
  /** Clock and randomness, for tests. */
  readonly env?: Env | undefined;
}

/** The options, checked, with defaults. */
export interface ElectionSettings {
  readonly agent: AgentSettings;
  readonly key: string;
  readonly sessionTtlMs: number;
  readonly lockDelayMs: number;
  readonly value: string;
  readonly checks: readonly string[];
  readonly env: Env;
}

const KEYS: readonly (keyof ElectionOptions)[] = [
  ...AGENT_KEYS,
  'key',
  'sessionTtlMs',
  'lockDelayMs',
  'value',
  'checks',
  'env',
];

/** Consul's own bounds of a session's time to live. */
const [MIN_TTL_MS, MAX_TTL_MS] = [10_000, 86_400_000];
const MAX_LOCK_DELAY_MS = 60_000;
/** Consul's own bound of a value. */
const MAX_VALUE_BYTES = 524_288;

export function readElectionOptions(options: unknown): ElectionSettings {
  const given = checkKeys('', options, KEYS);
  const sessionTtlMs = checkNumber('sessionTtlMs', given['sessionTtlMs'] ?? 15_000, {
    min: MIN_TTL_MS,
    max: MAX_TTL_MS,
    integer: true,
    unit: 'milliseconds',
  });
  const lockDelayMs = given['lockDelayMs'] ?? Math.min(MAX_LOCK_DELAY_MS, sessionTtlMs);
  return {
    agent: readAgentOptions(given),
    key: readKey(given['key']),
    sessionTtlMs,
    lockDelayMs: checkNumber('lockDelayMs', lockDelayMs, {
      min: 0,
      max: MAX_LOCK_DELAY_MS,
      integer: true,
      unit: 'milliseconds',
    }),
    value: readValue(given['value'] ?? `${hostname()}:${String(process.pid)}`),
    checks: readChecks(given['checks'] ?? []),
    env: readEnv(given['env']),
  };
}

/** Consul reads the key as a path, and would tidy up any other: the lock would be on another key than the one named. */
function readKey(key: unknown): string {
  const path = checkString('key', key);
  const isTidy = path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (isTidy) return path;
  throw new InvalidOptionError('key', 'a path without empty parts, "." and ".."', key);
}

function readValue(value: unknown): string {
  if (typeof value === 'string' && Buffer.byteLength(value) <= MAX_VALUE_BYTES) return value;
  throw new InvalidOptionError('value', 'a string of at most 524288 bytes', value);
}

function readChecks(checks: unknown): readonly string[] {
  if (Array.isArray(checks) && checks.every((id) => typeof id === 'string' && id !== '')) {
    return [...(checks as string[])];
  }
  throw new InvalidOptionError('checks', 'an array of non-empty strings', checks);
}

function readEnv(env: unknown): Env {
  if (env === undefined) return realEnv();
  const { clock, rng } = checkKeys('env', env, ['clock', 'rng']);
  if (!isObject(clock)) throw new InvalidOptionError('env.clock', 'a Clock', clock);
  for (const method of ['now', 'sleep', 'setTimer']) {
    checkFunction(`env.clock.${method}`, clock[method]);
  }
  if (!isObject(rng)) throw new InvalidOptionError('env.rng', 'an Rng', rng);
  checkFunction('env.rng.next', rng['next']);
  return env as Env;
}
