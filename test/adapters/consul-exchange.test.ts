import { describe, expect, it } from 'vitest';
import { exchange } from '../../adapters/consul/exchange.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';

describe('exchange', () => {
  it('leaves the hooks of its successor alone when it settles late', async () => {
    const clock = new ManualClock();
    const { signal } = new AbortController();
    let onClosed: (() => void) | undefined;
    const connection = { onClosed: (fn: (() => void) | undefined) => (onClosed = fn) };
    const run = (reply: Promise<unknown>): Promise<unknown> =>
      exchange(
        () => reply,
        connection,
        { clock, signal },
        { deadlineMs: 1_000, onGiveUp: () => undefined },
      );

    let answerLate: (reply: unknown) => void = () => undefined;
    const first = run(new Promise((resolve) => (answerLate = resolve)));
    const refused = expect(first).rejects.toThrow('no whole reply within 1 s');
    await clock.advance(1_000);
    await refused;

    const second = run(new Promise(() => undefined));
    const closed = expect(second).rejects.toThrow('the connection closed inside the reply');
    answerLate([]);
    await settle();
    onClosed?.();
    await closed;
    expect(clock.pendingTimers).toBe(0);
  });
});
