import { createHook } from 'node:async_hooks';
import { expect, it } from 'vitest';
import type { Caller, Settling } from '../src/caller.js';
import type { Client } from '../src/client.js';
import { settle } from '../src/testing/manual-clock.js';
import type { Settled } from '../src/types.js';
import { reset } from './support/errors.js';
import { rig, row } from './support/fixtures.js';
import { collectUncaught, watched } from './support/promises.js';

/** A caller that keeps what it is told. */
class Told implements Caller {
  readonly sent: { readonly id: string; readonly settling: Settling }[] = [];
  readonly ends: Settled[] = [];

  constructor(private readonly onEnd: (settled: Settled) => void = () => undefined) {}

  send({ instance }: { readonly instance: { readonly id: string } }, settling: Settling): void {
    this.sent.push({ id: instance.id, settling });
  }

  end(settled: Settled): void {
    this.ends.push(settled);
    this.onEnd(settled);
  }
}

function startOn(client: Client, caller: Caller): void {
  client.inside?.start(caller, { idempotent: true });
}

it('is told at once, once, and what it left open is in flight until it is released', async () => {
  const { client } = await rig(['a']);
  const caller = new Told();
  startOn(client, caller);
  expect(caller.sent.map(({ id }) => id)).toEqual(['a']);
  caller.sent[0]?.settling.settle({ ok: true, value: 1 }, true);
  expect(caller.ends).toEqual([{ ok: true, value: 1 }]);
  expect(row(client, 'a').pending).toBe(1);
  caller.sent[0]?.settling.settle({ ok: true, value: 2 });
  caller.sent[0]?.settling.release('success');
  caller.sent[0]?.settling.release('failure');
  expect(caller.ends).toHaveLength(1);
  expect(row(client, 'a').pending).toBe(0);
  expect(row(client, 'a').successRatio).toBe(1);
  await client.close();
});

it('sends another attempt after a failure, whose release comes too late', async () => {
  const { client, clock } = await rig(['a', 'b']);
  const caller = new Told();
  startOn(client, caller);
  caller.sent[0]?.settling.settle({ ok: false, error: reset() }, true);
  caller.sent[0]?.settling.release('success');
  await clock.advance(50);
  expect(new Set(caller.sent.map(({ id }) => id))).toEqual(new Set(['a', 'b']));
  caller.sent[1]?.settling.settle({ ok: true, value: 'well' });
  await settle();
  expect(caller.ends).toEqual([{ ok: true, value: 'well' }]);
  expect(client.snapshot().instances.map(({ pending }) => pending)).toEqual([0, 0]);
  await client.close();
});

it.each(['settles', 'fails', 'throws as it is sent', 'meets a closed client'])(
  'that throws at the end of a call which %s is surfaced, and leaves nothing under way',
  async (how) => {
    const { client, clock } = await rig(['a']);
    const bug = new Error('thrown at the end');
    const caller = new Told(() => {
      throw bug;
    });
    if (how.startsWith('throws')) {
      caller.send = () => {
        throw new RangeError('thrown as it is sent');
      };
    }
    if (how.startsWith('meets')) await client.close();
    const uncaught = await collectUncaught(async () => {
      startOn(client, caller);
      if (how === 'settles') caller.sent[0]?.settling.settle({ ok: true, value: 1 });
      if (how === 'fails')
        caller.sent[0]?.settling.settle({ ok: false, error: new TypeError('x') });
      await clock.advance(5_000);
    });
    expect(uncaught).toEqual([bug]);
    expect(caller.ends).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
    const closed = watched(client.close());
    await settle();
    expect(closed.status).toBe('resolved');
  },
);

it('that makes another call at the end of one finds its place free', async () => {
  const { client } = await rig(['a'], { maxConcurrency: { client: 1, queueSize: 0 } });
  const second = new Told();
  const first = new Told(() => {
    startOn(client, second);
  });
  startOn(client, first);
  await settle();
  first.sent[0]?.settling.settle({ ok: true, value: 1 });
  await settle();
  expect(second.ends).toEqual([]);
  expect(second.sent).toHaveLength(1);
  second.sent[0]?.settling.settle({ ok: true, value: 2 });
  expect(second.ends).toEqual([{ ok: true, value: 2 }]);
  await client.close();
});

it('leaves nothing behind with who listens to async hooks', async () => {
  const { client } = await rig(['a']);
  const known = new Set<number>();
  let made = 0;
  const hook = createHook({
    init: (id, type) => {
      if (type !== 'FairleadCall') return;
      made++;
      known.add(id);
    },
    destroy: (id) => known.delete(id),
  }).enable();
  try {
    await client.call(() => 1);
    await client.call(() => Promise.reject(new TypeError('x'))).catch(() => undefined);
    await client.close();
    await client.call(() => 1).catch(() => undefined);
    await settle();
    await settle();
  } finally {
    hook.disable();
  }
  expect(made).toBe(3);
  expect(known).toEqual(new Set());
});
