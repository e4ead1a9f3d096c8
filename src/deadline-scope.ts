import { AsyncLocalStorage } from 'node:async_hooks';
import { realEnv } from './env.js';
import type { Clock } from './types.js';
import { checkFunction, checkKeys, checkMsOrZero, checkNumber } from './validate.js';

/**
 * When the deadlines around end: the earliest on each clock, in its time. They are all on the real one, but in tests.
 * Not a chain of scopes: what is started over and over from within itself would make that longer each time.
 */
type Ends = ReadonlyMap<Clock, number>;

const NO_ENDS: Ends = new Map();

/** One for the ESM and the CommonJS build together: a call of either may be inside one of the other. */
const KEY = Symbol.for('fairlead.deadline');
const shared = globalThis as { [KEY]?: AsyncLocalStorage<Ends> | undefined };

/** Made when first needed: once one is in use every `await` of the process costs a little more. */
function storage(): AsyncLocalStorage<Ends> {
  return (shared[KEY] ??= new AsyncLocalStorage());
}

/** What the deadlines around leave, in ms, 0 or less when one has passed; Infinity without any. */
export function inheritedMs(): number {
  let leftMs = Infinity;
  for (const [clock, atMs] of shared[KEY]?.getStore() ?? NO_ENDS) {
    leftMs = Math.min(leftMs, atMs - clock.now());
  }
  return leftMs;
}

/** Runs `fn`; calls made in it, and in what it awaits, see that they have `timeoutMs` from now, or less. */
export function runWithin<T>(timeoutMs: number, clock: Clock, fn: () => T): T {
  const outer = storage().getStore() ?? NO_ENDS;
  const atMs = clock.now() + timeoutMs;
  if (atMs >= (outer.get(clock) ?? Infinity)) return fn();
  return storage().run(new Map(outer).set(clock, atMs), fn);
}

export interface WithDeadlineOptions {
  /**
   * Kept back of the time, in ms >= 0, for an answer that says so to arrive before who asked has given up. Default 0.
   * Envoy has it as `grpc_timeout_offset`.
   */
  readonly marginMs?: number | undefined;
}

/**
 * Runs `fn`, the handler of a request say, such that calls of clients with `inheritDeadline` made within it end no later
 * than `timeout` from now. What it starts and does not wait for is within it, too: {@link withoutDeadline}.
 *
 * @param timeout in ms, >= 0; or the value of a request header, in ms, where what is no such number sets no deadline.
 * @returns what `fn` returns.
 * @throws {InvalidOptionError} for a number or an option out of range.
 */
export function withDeadline<T>(
  timeout: number | string | readonly string[] | null | undefined,
  fn: () => T,
  options: WithDeadlineOptions = {},
): T {
  checkFunction('fn', fn);
  checkKeys('withDeadline', options, ['marginMs']);
  const marginMs = checkMsOrZero('withDeadline.marginMs', options.marginMs ?? 0);
  const timeoutMs =
    typeof timeout === 'number' ? checkNumber('timeout', timeout, { min: 0 }) : parse(timeout);
  return timeoutMs === undefined ? fn() : runWithin(timeoutMs - marginMs, realEnv().clock, fn);
}

/**
 * Runs `fn` without the deadlines around: for what a request starts and goes on after it, such as filling a cache, or a
 * connection that others use, too.
 *
 * @returns what `fn` returns.
 */
export function withoutDeadline<T>(fn: () => T): T {
  checkFunction('fn', fn);
  const known = shared[KEY];
  return known === undefined ? fn() : known.run(NO_ENDS, fn);
}

/** A header comes from somebody else: no reason to fail the request that brings it. */
function parse(header: string | readonly string[] | null | undefined): number | undefined {
  const text = typeof header === 'string' ? header.trim() : header?.[0]?.trim();
  return text !== undefined && /^\d{1,15}(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
