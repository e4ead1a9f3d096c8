/** Bodies that are made anew for each attempt. */
import { InvalidOptionError } from '../errors.js';
import type { Settled, Verdict } from '../types.js';
import { checkFunction, isObject } from '../validate.js';
import { discardStream } from './response-stream.js';

/** What axios's own adapters send as it is. `form-data` is a `Readable`; a web stream is for the `fetch` adapter alone. */
export type AxiosBody =
  | NodeJS.ReadableStream
  | ReadableStream
  | FormData
  | Blob
  | ArrayBuffer
  | Uint8Array
  | string
  | undefined;

export type AxiosBodyFactory = () => AxiosBody | Promise<AxiosBody>;

/** The body of one attempt. */
export interface AttemptBody {
  readonly data: unknown;
  /** Frees it, where the attempt has not sent all of it. */
  readonly release: () => void;
}

/** @throws {InvalidOptionError} when it is no function, or the request has a body besides. */
export function checkBodyFactory(make: unknown, data: unknown): void {
  if (make === undefined) return;
  checkFunction('fairlead.body', make);
  if (data === undefined || data === null) return;
  // Not shown: it may be secret.
  const expected = 'left out where "fairlead.body" makes the body';
  throw new InvalidOptionError('data', expected, undefined, `Option "data" must be ${expected}.`);
}

/** What every stream was given out for: one that has been sent is empty, and nobody would notice. */
const used = new WeakSet();

/** What went wrong with a body of the caller's own. */
const faults = new WeakSet();

/** @throws what `make` throws, and {@link InvalidOptionError} for a stream that an attempt before this one was given. */
export async function makeBody(make: AxiosBodyFactory): Promise<AttemptBody> {
  try {
    const data: unknown = await make();
    if (isStream(data)) {
      if (used.has(data)) {
        throw new InvalidOptionError('fairlead.body()', 'a new stream each time', data);
      }
      used.add(data);
    }
    blameOwnStream(data);
    return {
      data,
      release: () => {
        try {
          discardStream(data);
        } catch {
          // A stream of the application's own that cannot be freed: no reason to lose what the attempt has ended with.
        }
      },
    };
  } catch (error) {
    const known = isObject(error) ? error : new Error(String(error), { cause: error });
    faults.add(known);
    throw known as Error;
  }
}

/** A stream that fails while it is sent is the caller's own: no instance is to blame, and no other would do better. */
export function blameOwnStream(data: unknown): void {
  if (!isObject(data) || !('pipe' in data) || typeof data['once'] !== 'function') return;
  (data as unknown as NodeJS.ReadableStream).once('error', (error: unknown) => {
    if (isObject(error)) faults.add(error);
  });
}

/** The built-in rule for what came of such a fault; `undefined` for anything else. */
export function ofBodyFault(settled: Settled): Verdict | undefined {
  if (settled.ok || !isObject(settled.error)) return undefined;
  const { error } = settled;
  const cause: unknown = error['cause'];
  const isFault = faults.has(error) || (isObject(cause) && faults.has(cause));
  return isFault ? { outcome: 'ignored', retry: 'never' } : undefined;
}

function isStream(data: unknown): data is object {
  return isObject(data) && ('pipe' in data || 'getReader' in data);
}
