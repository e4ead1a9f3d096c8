import { describe, expect, it } from 'vitest';
import { settle } from '../../src/testing/manual-clock.js';
import { begin, park } from './consul-scene.js';
import { entry } from './fake-consul.js';

describe('a good read', () => {
  it('is confirmed with where it came from, whether or not it brought news', async () => {
    const { client, clock, watched } = await begin();
    const headers = { 'x-consul-knownleader': 'true', 'x-consul-lastcontact': '7' };
    client.newest().reply([entry(), entry({ id: 'bad', port: 0 })], 10, { headers });
    await settle();
    const details = {
      agent: 'Consul',
      index: 10,
      consistency: 'default',
      knownLeader: true,
      lastContactMs: 7,
      parked: true,
      entries: 2,
      dropped: 1,
    };
    expect(watched.confirmed).toEqual([{ stale: undefined, details }]);
    client.newest().reply([entry()], 12, { headers });
    await clock.advance(1_000);
    expect(watched.snapshots).toHaveLength(1);
    expect(watched.confirmed[1]?.details).toEqual({
      ...details,
      index: 12,
      entries: 1,
      dropped: 0,
    });
    await watched.abort();
  });

  it('names the datacenter that was asked for', async () => {
    const { client, watched } = await begin({ datacenter: 'dc2' });
    client.newest().refuse(500, 'No path to datacenter');
    await settle();
    expect(watched.faults[0]?.message).toContain('of "web" in datacenter "dc2": status 500');
    await watched.abort();
    const second = await park({ datacenter: 'dc2' });
    expect(second.watched.confirmed[0]?.details).toMatchObject({ datacenter: 'dc2' });
    await second.watched.abort();
  });

  it('tells of ten bad entries, and how many more there are, once', async () => {
    const { client, clock, watched } = await park();
    const bad = Array.from({ length: 400 }, (_, i) => entry({ id: `bad-${i}`, port: 0 }));
    client.newest().reply([entry(), ...bad], 11);
    await clock.advance(1_000);
    expect(watched.faults).toHaveLength(11);
    expect(watched.faults[9]?.message).toContain('"dc1/n1/bad-9" of "web"');
    expect(watched.faults[10]).toEqual({
      message:
        'Consul lists "web" with bad entries: those told of, and 390 more entries are left out.',
    });
    const worse = entry({ id: 'worse', port: 0 });
    client.newest().reply([entry(), ...bad, worse], 12);
    await clock.advance(1_000);
    expect(watched.faults).toHaveLength(12);
    expect(watched.faults[11]?.message).toContain('"dc1/n1/worse" of "web"');
    await watched.abort();
  });

  it('of which no entry can be used confirms nothing', async () => {
    const { client, clock, watched } = await park();
    const { length } = watched.confirmed;
    for (const index of [11, 12]) {
      client.newest().reply([entry({ port: 0 })], index);
      await clock.advance(1_000);
    }
    expect(watched.confirmed).toHaveLength(length);
    expect(watched.faults.map(({ effect }) => effect)).toEqual([undefined, 'stale']);
    await watched.abort();
  });
});

describe('a read that is refused', () => {
  it('is told once a minute, however often fresh data is wanted, and read once a second', async () => {
    const { client, clock, watched } = await begin();
    for (let tenth = 0; tenth < 650; tenth++) {
      client.newest().refuse(403, 'ACL not found');
      watched.refresh();
      await clock.advance(100);
    }
    expect(client.calls.length).toBeGreaterThan(20);
    expect(client.calls.length).toBeLessThanOrEqual(66);
    expect(watched.faults).toHaveLength(2);
    expect(watched.faults.every(({ effect }) => effect === 'refused')).toBe(true);
    await watched.abort();
  });

  it('is told at once when it is refused for another reason', async () => {
    const { client, clock, watched } = await begin();
    client.newest().refuse(403, 'ACL not found');
    await clock.advance(1_000);
    watched.refresh();
    await clock.advance(1_000);
    client.newest().refuse(500, 'No path to datacenter');
    await settle();
    expect(watched.faults).toHaveLength(2);
    await watched.abort();
  });

  it('is told at once after a good read, though it says the same', async () => {
    const { client, clock, watched } = await park();
    for (const _ of [1, 2]) {
      client.newest().refuse(403, 'ACL not found');
      await clock.advance(30_000);
      client.newest().reply([entry()], 10);
      await settle();
    }
    expect(watched.faults.map(({ effect }) => effect)).toEqual(['refused', 'refused']);
    await watched.abort();
  });

  it('is told at once after another fault, though it says the same', async () => {
    const { client, clock, watched } = await park();
    client.newest().refuse(403, 'ACL not found');
    await clock.advance(30_000);
    client.newest().fail(new Error('down'));
    await clock.advance(10_000);
    client.newest().refuse(403, 'ACL not found');
    await settle();
    expect(watched.faults.map(({ effect }) => effect)).toEqual(['refused', 'stale', 'refused']);
    await watched.abort();
  });

  it('with a token that is asked for anew is only stale at first', async () => {
    const { client, clock, watched } = await begin({ token: () => 'abc' });
    client.newest().refuse(403, 'ACL not found');
    await clock.advance(125);
    client.newest().refuse(403, 'ACL not found');
    await settle();
    expect(watched.faults.map(({ effect }) => effect)).toEqual(['stale', 'refused']);
    await watched.abort();
  });
});

it('takes no secret into what it confirms', async () => {
  const { watched } = await park({ token: 'hunter2' });
  expect(JSON.stringify(watched.confirmed)).not.toContain('hunter2');
  await watched.abort();
});
