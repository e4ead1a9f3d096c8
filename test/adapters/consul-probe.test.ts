import { describe, expect, it } from 'vitest';
import { consul } from '../../adapters/consul.js';
import { Liveness } from '../../adapters/consul/liveness.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import type { Clock } from '../../src/types.js';
import { half, park } from './consul-scene.js';
import { entry, fakeConsul } from './fake-consul.js';
import { watchWith } from './watched.js';

describe('what probes say of an agent', () => {
  it('is that it is down after two misses in a row, and well again after a good one', () => {
    const liveness = new Liveness();
    expect(liveness.probed('missed')).toEqual([]);
    expect(liveness.probed('poor')).toEqual([]);
    expect(liveness.probed('missed')).toEqual([]);
    expect(liveness.isDown).toBe(false);
    expect(liveness.probed('missed')).toEqual(['down']);
    expect(liveness.probed('missed')).toEqual([]);
    expect(liveness.isDown).toBe(true);
    expect(liveness.probed('good')).toEqual(['well']);
    expect([liveness.isDown, liveness.recoveries]).toEqual([false, 1]);
  });

  it('is that it is trusted from the start, and after a failure by three good ones in a row', () => {
    const liveness = new Liveness();
    expect(liveness.isTrusted).toBe(true);
    liveness.failed();
    expect(liveness.isTrusted).toBe(false);
    expect([liveness.probed('good'), liveness.probed('good')]).toEqual([[], []]);
    expect(liveness.probed('poor')).toEqual([]);
    expect(liveness.probed('good')).toEqual(['well']);
    expect([liveness.probed('good'), liveness.isTrusted]).toEqual([[], false]);
    expect([liveness.probed('good'), liveness.isTrusted]).toEqual([['trusted'], true]);
  });

  it('is less than a good read: then it answers', () => {
    const liveness = new Liveness();
    liveness.probed('missed');
    liveness.succeeded();
    expect(liveness.probed('missed')).toEqual([]);
    expect(liveness.probed('missed')).toEqual(['down']);
  });
});

describe('an agent', () => {
  it('is probed every 5 s, once for all of its watches, as long as there is one', async () => {
    const client = fakeConsul();
    const clock = new ManualClock();
    const watches = [1, 2, 3].map(() => watchWith(consul({ client }), { clock, rng: half }));
    await clock.advance(4_999);
    expect(client.probes).toBe(0);
    await clock.advance(1);
    expect(client.probes).toBe(1);
    await clock.advance(10_000);
    expect(client.probes).toBe(3);
    await watches[0]?.abort();
    await watches[1]?.abort();
    await clock.advance(5_000);
    expect(client.probes).toBe(4);
    await watches[2]?.abort();
    await settle();
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(60_000);
    expect(client.probes).toBe(4);

    // Whoever comes after the last one starts over.
    const later = watchWith(consul({ client }), { clock, rng: half });
    await clock.advance(5_000);
    expect(client.probes).toBe(5);
    await later.abort();
  });

  it('that stops answering is noticed within 12 s by a query parked at it', async () => {
    const { client, clock, watched } = await park();
    const parked = client.newest();
    await clock.advance(5_000);
    client.probe = 'silence';
    await clock.advance(11_999);
    expect(parked.cancelled).toBe(false);
    await clock.advance(1);
    expect(parked.cancelled).toBe(true);
    expect(watched.faults).toMatchObject([
      {
        message:
          'Consul gave no list of "web": it does not answer any more: two probes in a row were missed; reading again in 0.1 s.',
        effect: 'stale',
        cause: { kind: 'transient' },
      },
    ]);
    await watched.abort();
  });

  it('that misses one probe, or knows no leader, keeps its parked queries', async () => {
    const { client, clock, watched } = await park();
    const parked = client.newest();
    for (const probe of ['silence', 'no leader', 'silence', 'leader'] as const) {
      client.probe = probe;
      await clock.advance(5_000);
    }
    expect(parked.cancelled).toBe(false);
    expect(watched.faults).toEqual([]);
    await watched.abort();
  });

  it('is not to blame when this process stood still', async () => {
    const client = fakeConsul();
    const manual = new ManualClock();
    let stoodStillMs = 0;
    const clock: Clock = {
      now: () => manual.now() + stoodStillMs,
      setTimer: (ms, fn) => manual.setTimer(ms, fn),
      sleep: (ms, signal) => manual.sleep(ms, signal),
    };
    const watched = watchWith(consul({ client }), { clock, rng: half });
    await settle();
    client.newest().reply([entry()], 10);
    client.probe = 'silence';
    for (let probe = 0; probe < 4; probe++) {
      await manual.advance(5_000);
      stoodStillMs += 4_000;
    }
    expect(client.probes).toBeGreaterThan(3);
    expect(client.newest().cancelled).toBe(false);
    await watched.abort();
  });

  it('that is well again ends the pause of whoever waits for it', async () => {
    const { client, clock, watched } = await park();
    client.probe = 'no leader';
    for (let failure = 0; failure < 9; failure++) {
      client.newest().fail(new Error('down'));
      await clock.advance(15_000);
    }
    client.newest().fail(new Error('down'));
    await settle();
    const { length } = client.calls;
    client.probe = 'leader';
    await clock.advance(5_000 + 125);
    expect(client.calls).toHaveLength(length + 1);
    // From now on it is well all the time: no news, so the pause is as long as it is.
    client.newest().fail(new Error('still down'));
    await clock.advance(14_999);
    expect(client.calls).toHaveLength(length + 1);
    await clock.advance(1);
    expect(client.calls).toHaveLength(length + 2);
    await watched.abort();
  });

  it('that answers a read after all is down no more', async () => {
    const { client, clock, watched } = await park();
    client.probe = 'silence';
    await clock.advance(12_000 + 125);
    client.newest().reply([entry()], 11);
    await settle();
    const parked = client.newest();
    expect(parked.query['index']).toBe('11');
    watched.refresh();
    await settle();
    client.newest().reply([entry()], 11);
    await clock.advance(1_000);
    expect(parked.cancelled).toBe(false);
    expect(watched.faults).toHaveLength(1);
    await watched.abort();
  });
});
