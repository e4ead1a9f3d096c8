import { InvalidOptionError } from '../../errors.js';
import {
  checkBoolean,
  checkFunction,
  checkKeys,
  checkMsOrZero,
  checkNumber,
  isObject,
} from '../../validate.js';

/** A reply as it goes over the wire. */
export interface HttpReply {
  readonly status: number;
  /** Names in lower case. `content-length` follows from the body, whatever stands here. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** As the target sent it: compressed, if the client asked for that. */
  readonly body: Buffer;
}

/** What a proxy does to the replies through it. What is not named is as it should be. */
export interface HttpFaults {
  /**
   * Answers with this status, 200 to 599, without asking the target. Excludes `rewrite`. Default: the target answers.
   */
  readonly status?: number | undefined;
  /** Headers of that answer. Default: none but `content-length`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Body of that answer. Default: empty. */
  readonly body?: string | Buffer | undefined;
  /** Given the target's whole reply, returns the one to pass on in its place. */
  readonly rewrite?: ((reply: HttpReply) => RewrittenReply) | undefined;
  /**
   * Lets so many bytes of the body through, an integer >= 0, and ends the connection in place of the next;
   * `content-length` tells of the whole.
   */
  readonly truncateBytes?: number | undefined;
  /** The reply is passed on so much later, in ms >= 0. Default 0. */
  readonly delayMs?: number | undefined;
  /**
   * Holds what comes, requests and replies alike, and nobody is told. It goes on, under the faults of then, once others
   * are set. Excludes all others. Default false.
   */
  readonly hang?: boolean | undefined;
}

/** What `rewrite` returns: a body may be a string, in UTF-8. */
export interface RewrittenReply extends Omit<HttpReply, 'body'> {
  readonly body: Buffer | string;
}

/** The answer that the faults themselves name. */
export function ownReply({ status = 200, headers = {}, body = '' }: HttpFaults): RewrittenReply {
  return { status, headers: inLowerCase(headers), body };
}

function inLowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([key, v]) => [key.toLowerCase(), v]));
}

/** @throws {InvalidOptionError} naming the first fault out of range. */
export function checkFaults(faults: HttpFaults): HttpFaults {
  checkKeys('faults', faults, FAULT_KEYS);
  const { status, headers, body, rewrite, truncateBytes, delayMs, hang } = faults;
  if (status !== undefined) {
    checkNumber('faults.status', status, { min: 200, max: 599, integer: true });
  }
  if (headers !== undefined) checkHeaders(headers);
  if (body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body)) {
    throw new InvalidOptionError('faults.body', 'a string or a Buffer', body);
  }
  if (rewrite !== undefined) checkFunction('faults.rewrite', rewrite);
  if (truncateBytes !== undefined) {
    checkNumber('faults.truncateBytes', truncateBytes, { min: 0, integer: true });
  }
  if (delayMs !== undefined) checkMsOrZero('faults.delayMs', delayMs);
  if (hang !== undefined) checkBoolean('faults.hang', hang);
  checkTogether(faults);
  return faults;
}

function checkHeaders(headers: unknown): void {
  const isFine = isObject(headers) && Object.values(headers).every((v) => typeof v === 'string');
  if (!isFine) throw new InvalidOptionError('faults.headers', 'an object of strings', headers);
}

function checkTogether(faults: HttpFaults): void {
  const refuse = (name: keyof HttpFaults, expected: string): void => {
    if (faults[name] !== undefined) {
      throw new InvalidOptionError(`faults.${name}`, expected, faults[name]);
    }
  };
  if (faults.status === undefined) {
    refuse('headers', 'absent without a status');
    refuse('body', 'absent without a status');
  } else {
    refuse('rewrite', 'absent beside a status');
  }
  if (faults.hang !== true) return;
  for (const name of FAULT_KEYS) if (name !== 'hang') refuse(name, 'absent beside hang');
}

const FAULT_KEYS: readonly (keyof HttpFaults)[] = [
  'status',
  'headers',
  'body',
  'rewrite',
  'truncateBytes',
  'delayMs',
  'hang',
];
