import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { abortBody, follower } from '../../src/clients/body-abort.js';
import { settle } from '../../src/testing/manual-clock.js';

function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

function replyWithBody(): Response {
  return new Response(new ReadableStream());
}

/** Runs the garbage collector, and what it calls for, until `isDone` or for good. */
async function collect(isDone: () => boolean): Promise<boolean> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let i = 0; i < 50 && !isDone(); i++) {
    gc();
    await settle();
  }
  return isDone();
}

describe("the caller's signal", () => {
  it('reaches every body that somebody has, with its reason, by one listener', () => {
    const stop = new AbortController();
    const replies = [replyWithBody(), replyWithBody(), replyWithBody()];
    const aborters = replies.map((reply) => {
      const aborter = new AbortController();
      abortBody(reply, stop.signal, aborter);
      return aborter;
    });
    expect(listeners(stop.signal)).toBe(1);
    const reason = new Error('enough');
    stop.abort(reason);
    expect(aborters.map(({ signal }) => signal.reason as unknown)).toEqual([
      reason,
      reason,
      reason,
    ]);
    expect(listeners(stop.signal)).toBe(0);
  });

  it('that has aborted already reaches it at once', () => {
    const aborter = new AbortController();
    const reason = new Error('enough');
    abortBody(replyWithBody(), AbortSignal.abort(reason), aborter);
    expect(aborter.signal.reason).toBe(reason);
  });

  it('is left alone by a reply without a body', () => {
    const stop = new AbortController();
    abortBody(new Response(null), stop.signal, new AbortController());
    expect(listeners(stop.signal)).toBe(0);
  });

  it('keeps nothing of bodies that nobody has any more, and reaches those that come after', async () => {
    const stop = new AbortController();
    const aborted: WeakRef<AbortController>[] = [];
    const drop = (): void => {
      for (let i = 0; i < 100; i++) {
        const aborter = new AbortController();
        aborted.push(new WeakRef(aborter));
        abortBody(replyWithBody(), stop.signal, aborter);
      }
    };
    drop();
    await settle(); // a WeakRef keeps its target for the turn it was made in
    expect(await collect(() => listeners(stop.signal) === 0)).toBe(true);
    expect(aborted.filter((ref) => ref.deref() !== undefined)).toEqual([]);

    const kept = replyWithBody();
    const aborter = new AbortController();
    abortBody(kept, stop.signal, aborter);
    stop.abort();
    expect(aborter.signal.aborted).toBe(true);
  });

  it('reaches a body for as long as that is there, whatever else is collected', async () => {
    const stop = new AbortController();
    const kept = replyWithBody();
    let seen: unknown;
    const begin = (): void => {
      const aborter = new AbortController();
      aborter.signal.addEventListener('abort', () => {
        seen = aborter.signal.reason;
      });
      abortBody(kept, stop.signal, aborter);
    };
    begin();
    await settle();
    await collect(() => false);
    const reason = new Error('enough');
    stop.abort(reason);
    expect(seen).toBe(reason);
    expect(kept.bodyUsed).toBe(false);
  });
});

describe('a follower', () => {
  it('aborts with what it follows, and can be aborted by itself', () => {
    const leader = new AbortController();
    const [first, second] = [follower(leader.signal), follower(leader.signal)];
    second.abort('by itself');
    expect(first.signal.aborted).toBe(false);
    leader.abort('led');
    expect([first.signal.reason, second.signal.reason]).toEqual(['led', 'by itself']);
    expect(follower(leader.signal).signal.reason).toBe('led');
  });
});
