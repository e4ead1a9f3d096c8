import { expect, it } from 'vitest';
import { settle } from '../src/testing/manual-clock.js';
import { rig } from './support/fixtures.js';

it('panic is told when it begins, with the reason, and when it ends', async () => {
  const { client, clock } = await rig(['a', 'b'], {
    breaker: { consecutiveFailures: 1 },
    outlierDetection: false, // both may be out
  });
  const told: unknown[] = [];
  client.on('panic.started', (event) => told.push(event));
  client.on('panic.ended', (event) => told.push(event));
  client.pick({ excluded: ['b'] }).end('failure');
  client.pick({ excluded: ['a'] }).end('failure');
  client.pick().end('ignored');
  const started = {
    service: 'orders',
    view: undefined,
    reason: '0 of 2 instances available, less than 50 %: using all',
  };
  expect(told).toEqual([started]);
  await clock.advance(60_000);
  client.pick().end('success');
  expect(told).toEqual([started, { service: 'orders', view: undefined }]);
  await client.close();
});

it('panic of a view says whose it is', async () => {
  const { client } = await rig(['a']);
  const views: unknown[] = [];
  client.on('panic.started', ({ view }) => views.push(view));
  client
    .where({ tags: ['v2'], fallback: 'any' })
    .pick()
    .end('ignored');
  expect(views).toEqual(['tag "v2"']);
  await client.close();
});

it('a pick by whoever hears of panic does not get into the pick that brought it', async () => {
  const { client } = await rig(['a', 'b', 'c'], {
    policy: 'rendezvous',
    breaker: { consecutiveFailures: 1 },
    outlierDetection: false,
  });
  const heard: string[] = [];
  client.on('panic.started', () => {
    const lease = client.pick({ excluded: ['a', 'b'], hashKey: 'other' });
    heard.push(lease.instance.id);
    lease.end('ignored');
  });
  for (const id of ['a', 'b']) {
    client.pick({ excluded: ['a', 'b', 'c'].filter((other) => other !== id) }).end('failure');
  }
  const lease = client.pick({ excluded: ['b', 'c'], hashKey: 'k' });
  expect(lease.instance.id).toBe('a');
  expect(heard).toEqual(['c']);
  lease.end('ignored');
  await client.close();
});

it('is no panic that most are out, while the next priority can carry all calls', async () => {
  const { client, source } = await rig([], {
    breaker: { consecutiveFailures: 1 },
    outlierDetection: false,
  });
  const active = ['a', 'b', 'c', 'd'];
  source.set([
    ...active.map((id) => ({ id, host: id, port: 80 })),
    { id: 'spare', host: 'spare', port: 80, priority: 1 },
  ]);
  await settle();
  for (const id of ['a', 'b', 'c']) {
    client.pick({ excluded: [...active, 'spare'].filter((other) => other !== id) }).end('failure');
  }
  const { panic, candidates } = client.explain();
  expect(panic).toBeUndefined();
  expect(candidates.map(({ id }) => id)).toEqual(['d', 'spare']);
  await client.close();
});
