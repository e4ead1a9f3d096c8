import { expect, it } from 'vitest';
import { consul } from '../../adapters/consul.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { half } from './consul-scene.js';
import { entry, fakeConsul } from './fake-consul.js';
import { watchWith } from './watched.js';

const one = entry({ id: 'web-1', node: 'n1' });
const two = entry({ id: 'web-2', node: 'n2' });
const FILTERED = { headers: { 'x-consul-results-filtered-by-acls': 'true' } };

/** Ids in the first list of a watch that follows one after this pause; the token has lost node n1 meanwhile. */
async function idsAfter(pauseMs: number, nextService = 'web'): Promise<readonly unknown[]> {
  const client = fakeConsul();
  client.holds = ({ Resource, Segment }) => Resource !== 'node' || Segment !== 'n1';
  const clock = new ManualClock();
  const adapter = consul({ client, token: 'abc' });
  const first = watchWith(adapter, { clock, rng: half });
  await settle();
  client.newest().reply([one, two], 10);
  await settle();
  await first.abort();

  await clock.advance(pauseMs);
  const second = watchWith(adapter, { service: nextService, clock, rng: half });
  await settle();
  client.newest().reply([two], 11, FILTERED);
  await settle();
  const [snapshot] = second.snapshots;
  await second.abort();
  return snapshot?.kind === 'instances' ? snapshot.instances.map(({ id }) => id) : [];
}

it('a watch begun again keeps what the token may not read any more', async () => {
  const ids = await idsAfter(59_999);
  expect(new Set(ids)).toEqual(new Set(['dc1/n1/web-1', 'dc1/n2/web-2']));
});

it.each([
  ['after a minute', 60_000, 'web'],
  ['for another service', 0, 'api'],
])('a watch begun %s knows nothing of the one before', async (_when, pauseMs, service) => {
  expect(await idsAfter(pauseMs, service)).toEqual(['dc1/n2/web-2']);
});

it('a watch that begins before the one before has ended goes on from there', async () => {
  const client = fakeConsul();
  client.holds = () => true;
  const clock = new ManualClock();
  const adapter = consul({ client, token: 'abc' });
  const first = watchWith(adapter, { clock, rng: half });
  await settle();
  client.newest().reply([one, two], 10);
  await settle();
  client.holds = ({ Resource, Segment }) => Resource !== 'node' || Segment !== 'n1';
  const ended = first.abort();
  const second = watchWith(adapter, { clock, rng: half });
  await ended;
  await settle();
  client.newest().reply([two], 11, FILTERED);
  await settle();
  expect(second.snapshots).toMatchObject([{ instances: [{}, {}] }]);
  await second.abort();
});
