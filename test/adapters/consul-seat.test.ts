import { expect, it } from 'vitest';
import { settle } from '../../src/testing/manual-clock.js';
import { park, type Scene } from './consul-scene.js';
import { entry } from './fake-consul.js';

/** A query is parked on the index 10, and a read beside it has found the list of the index 11. */
async function readBeside(): Promise<Scene & { readonly parked: Scene['client']['calls'][0] }> {
  const scene = await park();
  const { client, clock, watched } = scene;
  const parked = client.newest();
  watched.refresh();
  await settle();
  client.newest().reply([entry({ port: 81 })], 11);
  await clock.advance(2_000);
  return { ...scene, parked };
}

const indexes = ({ client }: Scene): readonly unknown[] =>
  client.calls.map(({ query }) => query['index']);

it('a parked query that tells of a change known already is no reason to read all anew', async () => {
  const scene = await readBeside();
  scene.parked.reply([entry({ port: 81 })], 11);
  await settle();
  expect(indexes(scene)).toEqual([undefined, '10', undefined, '11']);
  expect(scene.watched.snapshots).toHaveLength(2);
  await scene.watched.abort();
});

it('one that ends early with the index it was parked on is', async () => {
  const scene = await readBeside();
  scene.parked.reply([entry()], 10);
  await settle();
  expect(indexes(scene)).toEqual([undefined, '10', undefined, undefined]);
  await scene.watched.abort();
  // The next one is parked on the index 11, and ends early with that.
  const next = await readBeside();
  next.parked.reply([entry({ port: 81 })], 11);
  await next.clock.advance(2_000);
  next.client.newest().reply([entry({ port: 81 })], 11);
  await settle();
  expect(indexes(next)).toEqual([undefined, '10', undefined, '11', undefined]);
  await next.watched.abort();
});
