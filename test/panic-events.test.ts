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
    reason: '0 of 2 instances available, less than 50 %: using all',
  };
  expect(told).toEqual([started]);
  await clock.advance(60_000);
  client.pick().end('success');
  expect(told).toEqual([started, { service: 'orders' }]);
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
