import { AsyncLocalStorage } from 'node:async_hooks';
import { realEnv } from './env.js';
import type { Clock } from './types.js';
import { checkFunction, checkNumber } from './validate.js';

/** A deadline that calls further in can see. */
interface Scope {
  /** What is left, in ms; not above 0 when it has passed. */
  leftMs(): number;
}

/** One for the ESM and the CommonJS build together: a call of either may be inside one of the other. */
const KEY = Symbol.for('fairlead.deadline');
const shared = globalThis as { [KEY]?: AsyncLocalStorage<Scope> | undefined };

/** Made when first needed: once one is in use every `await` of the process costs a little more. */
function storage(): AsyncLocalStorage<Scope> {
  return (shared[KEY] ??= new AsyncLocalStorage());
}

/** What the deadlines around leave, in ms; Infinity without any. */
export function inheritedMs(): number {
  return shared[KEY]?.getStore()?.leftMs() ?? Infinity;
}

/** Runs `fn`; calls made in it, and in what it awaits, see that they have `timeoutMs` from now, or less. */
export function runWithin<T>(timeoutMs: number, clock: Clock, fn: () => T): T {
  const outer = storage().getStore();
  const atMs = clock.now() + timeoutMs;
  const scope: Scope = {
    leftMs: () => Math.min(atMs - clock.now(), outer?.leftMs() ?? Infinity),
  };
  return storage().run(scope, fn);
}

/**
 * Runs `fn`, the handler of a request say, such that calls of clients with `inheritDeadline` made within it end no later
 * than `timeout` from now.
 *
 * @param timeout in ms, >= 0; or the value of a request header, in ms, where what is no such number sets no deadline.
 * @returns what `fn` returns.
 * @throws {InvalidOptionError} for a number out of range.
 */
export function withDeadline<T>(
  timeout: number | string | readonly string[] | null | undefined,
  fn: () => T,
): T {
  checkFunction('fn', fn);
  const timeoutMs =
    typeof timeout === 'number' ? checkNumber('timeout', timeout, { min: 0 }) : parse(timeout);
  return timeoutMs === undefined ? fn() : runWithin(timeoutMs, realEnv().clock, fn);
}

/** A header comes from somebody else: no reason to fail the request that brings it. */
function parse(header: string | readonly string[] | null | undefined): number | undefined {
  const text = typeof header === 'string' ? header.trim() : header?.[0]?.trim();
  return text !== undefined && /^\d{1,15}(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
