import type { Socket } from 'node:net';
import { show } from '../errors.js';
import type { Instance } from '../types.js';
import { isObject } from '../validate.js';

/** Checks one instance once. Resolves with the role it has, if the check tells any; rejects when the check failed. */
export type Probe = (instance: Instance, signal: AbortSignal) => Promise<string | undefined>;

/** Lets the process exit while this socket is open, or tries the addresses of a name: each try has a handle of its own. */
export function quieten(socket: Socket): void {
  socket.unref();
  socket.on('connectionAttempt', () => {
    socket.unref();
  });
}

/** An error of Node's as an operator knows it: `ECONNREFUSED`. Its message has an address in it, which the event has too. */
export function named(error: unknown): Error {
  const { code, message } = isObject(error) ? error : {};
  return new Error(String(typeof code === 'string' ? code : message), { cause: error });
}

/** The longest text of a failure, in characters: a check of the user's own may throw a whole page. */
const LONGEST_TEXT = 200;

/** Why a check failed, for people. */
export function failureText(error: unknown): string {
  if (!isObject(error)) return shorten(isText(error) ? error : show(error));
  const { message, code, name, cause } = error;
  const text = [message, code, name, 'failed'].find(isText) ?? '';
  // `fetch failed` says nothing; the code of its cause does.
  const inner = isObject(cause) && isText(cause['code']) ? cause['code'] : '';
  return shorten(text.includes(inner) ? text : `${text}: ${inner}`);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function shorten(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT - 3)}...`;
}
