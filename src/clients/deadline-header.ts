/** The `deadlineHeader` option of the HTTP wrappers: tells the server how much time it has. */
import type { AttemptContext } from '../attempt-context.js';
import { InvalidOptionError } from '../errors.js';
import { isToken } from './hash-key.js';

const DEFAULT_NAME = 'x-request-timeout-ms';

/** @throws {InvalidOptionError} when it is given, and is neither a boolean nor a name a header can have. */
export function deadlineHeaderName(option: string, given: unknown): string | undefined {
  if (given === undefined || given === false) return undefined;
  if (given === true) return DEFAULT_NAME;
  if (isToken(given)) return given;
  throw new InvalidOptionError(option, 'true, false or an HTTP name (a token of RFC 9110)', given);
}

/** What the header says: whole ms, rounded down. At least 1, for some take 0 to mean no limit. */
export function deadlineValue({ timeoutMs }: AttemptContext): string {
  return String(Math.max(1, Math.floor(timeoutMs)));
}
