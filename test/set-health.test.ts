import { describe, expect, it } from 'vitest';
import type { Client } from '../src/client.js';
import type { FairleadEvents } from '../src/events.js';
import type { CheckResult } from '../src/health-options.js';
import { refused } from './support/errors.js';
import { idsOf, rig, row, specs } from './support/fixtures.js';
import { deferred, watched } from './support/promises.js';

/** Ids of the next ten picks, each once. */
function reached(client: Client): string[] {
  const ids = Array.from({ length: 10 }, () => {
    const lease = client.pick();
    lease.end('ignored');
    return lease.instance.id;
  });
  return [...new Set(ids)].sort();
}

describe('health checks of a client', () => {
  /** A client that checks every second, and whose checks fail for those in `down`. */
  async function checked(names: readonly string[]) {
    const down = new Set<string>();
    const changes: FairleadEvents['health.changed'][] = [];
    const made = await rig(names, {
      policy: 'round-robin',
      healthCheck: {
        check: ({ instance }) => !down.has(instance.id),
        intervalMs: 1_000,
        healthyThreshold: 1,
        unhealthyThreshold: 1,
      },
    });
    made.client.on('health.changed', (change) => changes.push(change));
    await made.clock.advance(1_100);
    return { ...made, down, changes };
  }

  it('take out what fails them at once, and let it warm up for as long as it was out', async () => {
    const { client, clock, down, changes } = await checked(['a', 'b', 'c']);
    expect(reached(client)).toEqual(['a', 'b', 'c']);
    down.add('a');
    await clock.advance(1_100);
    expect(reached(client)).toEqual(['b', 'c']);
    down.delete('a');
    await clock.advance(1_100);
    expect(reached(client)).toEqual(['a', 'b', 'c']);
    expect(row(client, 'a').capacity).toBeLessThan(1);
    await clock.advance(1_100); // one interval is 1,100 ms at most
    expect(row(client, 'a').capacity).toBe(1);
    expect(changes.filter(({ instanceId }) => instanceId === 'a').slice(-2)).toMatchObject([
      { service: 'orders', health: 'unhealthy', error: 'the check says unhealthy' },
      { service: 'orders', health: 'healthy', error: undefined },
    ]);
    await client.close();
  });

  it('follow the list, and end with the client', async () => {
    const { client, clock, source, down } = await checked(['a', 'b']);
    source.set(specs('b', 'c'));
    down.add('c');
    await clock.advance(0);
    expect(idsOf(client).map((id) => [id, row(client, id).health])).toEqual([
      ['b', 'healthy'],
      ['c', 'unhealthy'],
    ]);
    await client.close();
    expect(clock.pendingTimers).toBe(0);
  });
});

it('a call by role waits for the first checks, and no longer', async () => {
  const answers = new Map([
    ['a', deferred<CheckResult>()],
    ['b', deferred<CheckResult>()],
  ]);
  const { client, clock } = await rig(['a', 'b'], {
    healthCheck: { check: ({ instance }) => answers.get(instance.id)?.promise },
  });
  const found = watched(client.where({ role: 'primary' }).call(({ instance }) => instance.id));
  const witness = client.where({ role: 'witness' });
  const missed = watched(witness.call(() => 1));
  const reading = client.where({ role: 'primary', fallback: 'any' });
  const read = watched(reading.call(({ instance }) => instance.id));
  const ready = watched(reading.ready());
  const late = watched(witness.call(() => 1, { timeoutMs: 50 }));
  answers.get('a')?.resolve({ healthy: true });
  await clock.advance(50);
  expect([found.status, missed.status]).toEqual(['pending', 'pending']);
  expect([read.status, ready.status]).toEqual(['pending', 'pending']);
  expect(late.error).toMatchObject({ code: 'ERR_FAIRLEAD_NOT_READY' });
  answers.get('b')?.resolve({ healthy: true, role: 'primary' });
  await clock.advance(1);
  expect([found.value, read.value, ready.status]).toEqual(['b', 'b', 'resolved']);
  expect(missed.error).toMatchObject({ code: 'ERR_FAIRLEAD_NO_MATCH' });
  await client.close();
});

it('that all are found healthy changes no pick', async () => {
  const { client, clock } = await rig(['a', 'b'], { healthCheck: { check: () => true } });
  client.pick().end('success');
  const { rebuilds } = client.snapshot();
  await clock.advance(10_000);
  client.pick().end('success');
  expect(row(client, 'a').health).toBe('healthy');
  expect(client.snapshot().rebuilds).toBe(rebuilds);
  await client.close();
});

it('a view by role is ready as soon as a check has found the role', async () => {
  const roles = new Map([['a', 'standby']]);
  const { client, clock } = await rig(['a', 'b'], {
    healthCheck: {
      check: ({ instance }) => ({ healthy: true, role: roles.get(instance.id) }),
      intervalMs: 1_000,
    },
  });
  const ready = watched(client.where({ role: 'primary' }).ready());
  await clock.advance(1_100);
  expect(ready.status).toBe('pending');
  roles.set('b', 'primary');
  await clock.advance(1_100);
  expect(ready.status).toBe('resolved');
  await client.close();
});

it('a retry avoids an instance from the moment its breaker is held', async () => {
  const ids = ['a', 'b', 'c', 'd', 'e'];
  const { client } = await rig(ids, { policy: 'random', breaker: { consecutiveFailures: 1 } });
  for (const id of ['a', 'b', 'c']) {
    client.pick({ excluded: ids.filter((other) => other !== id) }).end('failure');
  }
  expect(row(client, 'c')).toMatchObject({ breaker: 'closed', held: true }); // half of five are out
  for (let i = 0; i < 20; i++) {
    const tried: string[] = [];
    await client.call(
      ({ instance }) => {
        tried.push(instance.id);
        if (tried.length === 1) throw refused();
      },
      { classify: ({ ok }) => (ok ? undefined : { outcome: 'ignored', retry: 'always' }) },
    );
    expect(['d', 'e']).toContain(tried[1]);
  }
  await client.close();
});

describe('the events of a breaker', () => {
  it('tell of each attempt on trial, not of one that was ignored and gave its place back', async () => {
    const breaker = { consecutiveFailures: 1, openMs: 100 };
    const { client, clock } = await rig(['a', 'b'], { breaker });
    const told: string[] = [];
    let openMs = NaN;
    client.on('breaker.opened', (event) => {
      told.push('opened');
      ({ openMs } = event);
    });
    client.on('breaker.half-opened', () => told.push('half-opened'));
    client.on('breaker.closed', () => told.push('closed'));
    const pickA = () => client.pick({ excluded: ['b'] });
    await clock.advance(500);
    pickA().end('failure');
    expect(openMs).toBeLessThanOrEqual(100);
    await clock.advance(openMs);
    pickA().end('ignored');
    expect(told).toEqual(['opened', 'half-opened']);
    pickA().end('success');
    expect(told).toEqual(['opened', 'half-opened', 'half-opened', 'closed']);
    await client.close();
  });

  it('come when it is so: who listens finds the instance out', async () => {
    const breaker = { consecutiveFailures: 1 };
    const { client } = await rig(['a', 'b'], { policy: 'round-robin', breaker });
    expect(reached(client)).toEqual(['a', 'b']);
    const found: string[][] = [];
    client.on('breaker.opened', () => found.push(reached(client)));
    client.pick({ excluded: ['b'] }).end('failure');
    expect(found).toEqual([['b']]);
    await client.close();
  });
});
