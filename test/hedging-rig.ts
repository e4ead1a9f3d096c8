/** Calls of a hedging client, whose attempts settle when the test says so. */
import { expect } from 'vitest';
import type { AttemptContext } from '../src/attempt-context.js';
import type { CallOptions } from '../src/call-options.js';
import type { FairleadEvents } from '../src/events.js';
import type { ClientOptions } from '../src/options.js';
import { type Rig, rig } from './support/fixtures.js';
import { inOrder } from './support/in-order.js';
import { deferred, type Deferred, watched } from './support/promises.js';

export const HEDGEABLE = { idempotent: true };

/** A client that hedges every call that is 10 ms old, but for what `options` say. Its instances are picked in order. */
export function hedging(
  names: readonly string[] = ['a', 'b'],
  options: Partial<ClientOptions> = {},
): Promise<Rig & { readonly ended: FairleadEvents['attempt.ended'][] }> {
  return rig(names, {
    policy: inOrder,
    hedge: { delayMs: 10, maxRatio: 1 },
    breaker: false,
    ...options,
  }).then((made) => {
    const ended: FairleadEvents['attempt.ended'][] = [];
    made.client.on('attempt.ended', (event) => ended.push(event));
    return { ...made, ended };
  });
}

export interface Sent extends Deferred<unknown> {
  readonly context: AttemptContext;
  readonly signal: AbortSignal;
}

/** A function for `call` whose attempts settle when the test says so. */
export function inHand(): { (context: AttemptContext): Promise<unknown>; readonly sent: Sent[] } {
  const sent: Sent[] = [];
  const fn = (context: AttemptContext): Promise<unknown> => {
    const made = { ...deferred<unknown>(), context, signal: context.signal };
    sent.push(made);
    return made.promise;
  };
  return Object.assign(fn, { sent });
}

/** Both attempts of a call under way, the hedge since 20 ms. */
export async function bothUnderWay(
  { client, clock }: Rig,
  options: CallOptions<unknown> = {},
): Promise<{
  readonly call: ReturnType<typeof watched<unknown>>;
  readonly first: Sent;
  readonly hedge: Sent;
  readonly sent: readonly Sent[];
}> {
  const fn = inHand();
  const call = watched<unknown>(client.call(fn, { ...HEDGEABLE, ...options }));
  await clock.advance(30);
  const [first, hedge] = fn.sent;
  if (first === undefined || hedge === undefined) throw new Error('no hedge was sent');
  expect(fn.sent).toHaveLength(2);
  return { call, first, hedge, sent: fn.sent };
}

/** Nothing is left of any call. */
export function expectNothingLeft({ client, clock }: Rig): void {
  expect(clock.pendingTimers).toBe(0);
  const { inFlight, instances } = client.snapshot();
  expect(inFlight).toBe(0);
  for (const { pending } of instances) expect(pending).toBe(0);
}
