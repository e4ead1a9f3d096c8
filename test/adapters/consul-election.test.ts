import { describe, expect, it } from 'vitest';
import type { ElectionOptions } from '../../adapters/consul/election/options.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import type { Rng } from '../../src/types.js';
import { ConsulModel, type Fate, KEY, Process, type RequestName } from './consul-election-model.js';
import { half } from './consul-scene.js';

const TTL_MS = 15_000;
const RENEW_MS = 5_000;
const VALID_MS = 10_000;
const LOCK_DELAY_MS = 15_000;

interface Scene {
  readonly clock: ManualClock;
  readonly consul: ConsulModel;
  start(options?: Partial<ElectionOptions>, rng?: Rng): Promise<Process>;
}

function scene(): Scene {
  const clock = new ManualClock();
  const consul = new ConsulModel(clock);
  return {
    clock,
    consul,
    async start(options, rng) {
      const process = new Process(consul, options, rng);
      await settle();
      return process;
    },
  };
}

/** A leader and a standby; the process of the leader first. */
async function pair(): Promise<Scene & { leader: Process; standby: Process }> {
  const made = scene();
  const leader = await made.start({ value: 'one' });
  const standby = await made.start({ value: 'two' });
  expect([leader, standby].map(({ election }) => election.isLeader)).toEqual([true, false]);
  return { ...made, leader, standby };
}

const timesOf = (process: Process, name: RequestName): number[] =>
  process.sent(name).map(({ atMs }) => atMs);

describe('a candidate', () => {
  it('that is alone leads, once it has read the key back consistently', async () => {
    const { consul, start } = scene();
    const { election, events, requests } = await start({ value: '10.0.0.1:80' });
    expect(requests.map(({ name }) => name)).toEqual([
      'create',
      'read',
      'acquire',
      'read back',
      'park',
    ]);
    expect(consul.created).toEqual([
      {
        Name: `fairlead election ${KEY}`,
        TTL: '15000ms',
        LockDelay: '15000ms',
        Behavior: 'release',
      },
    ]);
    expect(consul.entry).toMatchObject({ value: '10.0.0.1:80', session: 'session-1' });
    expect(events).toEqual([`elected ${consul.entry?.modifyIndex}`]);
    expect(election).toMatchObject({
      isLeader: true,
      fencingToken: consul.entry?.modifyIndex,
      leader: '10.0.0.1:80',
    });
    expect(election.status()).toEqual({
      key: KEY,
      role: 'leader',
      fencingToken: consul.entry?.modifyIndex,
      leader: '10.0.0.1:80',
      sessionAgeMs: 0,
      validForMs: VALID_MS,
      lastFault: undefined,
    });
  });

  it('makes its session depend on the checks that are named, and on the node', async () => {
    const { consul, start } = scene();
    await start({ checks: ['service:orders-1'], sessionTtlMs: 30_000, lockDelayMs: 0 });
    expect(consul.created[0]).toMatchObject({
      TTL: '30000ms',
      LockDelay: '0ms',
      Checks: ['serfHealth', 'service:orders-1'],
    });
  });

  it('does not lead when the key, read back, is of another', async () => {
    const { consul, clock, start } = scene();
    const process = new Process(consul);
    process.fate = ({ name }) => {
      if (name === 'read back') consul.deleteKey();
      return 'good';
    };
    await settle();
    expect(process.sent('read back')).toHaveLength(1);
    expect(process.events).toEqual([]);
    process.fate = () => 'good';
    await clock.advance(1_000);
    expect(process.events).toEqual([`elected ${consul.entry?.modifyIndex}`]);
    expect((await start()).election.isLeader).toBe(false);
  });

  it('does not lead when its session may be over by the time that it knows', async () => {
    const { consul, clock } = scene();
    const process = new Process(consul);
    process.fate = ({ name }) => {
      if (name === 'read') return { toMs: 0, backMs: 2_000 };
      if (name !== 'acquire') return 'good';
      process.stop();
      return 'good';
    };
    await settle();
    await clock.advance(VALID_MS);
    process.fate = ({ name }) => (name === 'renew' ? 'refused' : 'good');
    await process.continue('replies');
    expect(process.sent('read back')).toHaveLength(1);
    expect(process.events).toEqual([]);
    expect(process.election.isLeader).toBe(false);
    // The session lives all the same, and the lock is its own.
    process.fate = () => 'good';
    await clock.advance(2_000);
    expect(process.events).toEqual([`elected ${consul.entry?.modifyIndex}`]);
  });

  it('stands by, parked on the key, while another leads, and leads at once when it may', async () => {
    const { consul, leader, standby } = await pair();
    expect(standby.requests.map(({ name }) => name)).toEqual(['create', 'read', 'park']);
    expect(standby.requests.at(-1)?.query).toEqual({
      index: String(consul.entry?.modifyIndex),
      wait: '30000ms',
    });
    expect(standby.election.leader).toBe('one');
    const { fencingToken: before = NaN } = leader.election;
    await leader.election.resign();
    await settle();
    expect(standby.events).toEqual([`elected ${consul.entry?.modifyIndex}`]);
    expect(standby.election.fencingToken).toBeGreaterThan(before);
    expect(leader.election.leader).toBe('two');
  });

  it('does not ask for the lock while its own session may be over', async () => {
    const { clock, leader, standby } = await pair();
    standby.fate = ({ name }) => (name === 'renew' ? 'refused' : 'good');
    await clock.advance(VALID_MS);
    await leader.election.resign();
    await clock.advance(4_000);
    expect(standby.sent('acquire')).toEqual([]);
    expect(standby.sent('read').length + standby.sent('park').length).toBeGreaterThan(4);
    standby.fate = () => 'good';
    await clock.advance(3_000);
    expect([leader, standby].some(({ election }) => election.isLeader)).toBe(true);
  });

  it('after a leader that died waits for the lock-delay, asking about once a second', async () => {
    const { clock, leader, standby } = await pair();
    leader.stop();
    await clock.advance(TTL_MS);
    expect(timesOf(standby, 'acquire')).toEqual([TTL_MS]);
    await clock.advance(LOCK_DELAY_MS - 1);
    expect(standby.election.isLeader).toBe(false);
    expect(timesOf(standby, 'acquire')).toHaveLength(LOCK_DELAY_MS / 1_000);
    await clock.advance(1_000);
    expect(standby.election.isLeader).toBe(true);
  });

  it.each([
    [0, 500],
    [0.5, 1_000],
    [0.999, 1_499],
  ])('spreads these askings: with chance %d they are %i ms apart', async (chance, ms) => {
    const { consul, clock, start } = scene();
    await start();
    const standby = await start({}, { next: () => chance });
    consul.destroySession('session-1');
    await clock.advance(ms * 5);
    const times = timesOf(standby, 'acquire');
    expect(times.slice(1).map((atMs, i) => atMs - (times[i] ?? 0))).toEqual(
      Array.from({ length: times.length - 1 }, () => ms),
    );
    expect(times.length).toBeGreaterThan(3);
  });
});

describe('a leader', () => {
  it('renews each third of the time to live', async () => {
    const { clock, start } = scene();
    const process = await start();
    await clock.advance(4 * TTL_MS);
    expect(timesOf(process, 'renew')).toEqual(
      Array.from({ length: 12 }, (_, i) => (i + 1) * RENEW_MS),
    );
    expect(process.events).toHaveLength(1);
  });

  it('steps down two thirds after the last good renewal was sent, and tries meanwhile', async () => {
    const { clock, start } = scene();
    const process = await start();
    await clock.advance(RENEW_MS);
    process.fate = ({ name }) => (name === 'renew' ? 'lost' : 'good');
    await clock.advance(VALID_MS - 1);
    expect(process.election.isLeader).toBe(true);
    expect(process.election.status().validForMs).toBe(1);
    // At half of the ceiling of each pause, and 2.5 s for each try.
    expect(timesOf(process, 'renew')).toEqual([5_000, 10_000, 12_625]);
    await clock.advance(1);
    expect(process.election).toMatchObject({ isLeader: false, fencingToken: undefined });
    expect(process.events.slice(1)).toEqual(['expired']);
    expect(process.election.status().role).toBe('standby');
    expect(process.faults[0]).toContain(
      'the session was not renewed: no whole reply within 2.5 s; trying again in 0.1 s.',
    );
  });

  it('counts from before a renewal was sent, however late its reply is', async () => {
    const { clock, start } = scene();
    const process = await start();
    process.fate = ({ name }) => (name === 'renew' ? { toMs: 1_000, backMs: 1_400 } : 'good');
    await clock.advance(RENEW_MS + 2_400);
    process.fate = ({ name }) => (name === 'renew' ? 'refused' : 'good');
    await clock.advance(VALID_MS - 2_400 - 1);
    expect(process.election.isLeader).toBe(true);
    await clock.advance(1);
    expect(process.election.isLeader).toBe(false);
  });

  it('that was stopped does not lead, by the clock, before any timer has fired', async () => {
    const { clock, consul, start } = scene();
    const process = await start();
    const { signal } = await process.election.whenLeader();
    await clock.advance(RENEW_MS);
    process.stop();
    await clock.advance(VALID_MS - 1);
    expect(process.election.isLeader).toBe(true);
    await clock.advance(1);
    expect(process.election).toMatchObject({ isLeader: false, fencingToken: undefined });
    expect(process.election.status()).toMatchObject({ role: 'standby', validForMs: 0 });
    expect(process.events).toHaveLength(1);
    expect(signal.aborted).toBe(false);
    await clock.advance(TTL_MS - VALID_MS);
    expect(consul.sessions.size).toBe(0);

    await process.continue();
    expect(process.events[1]).toBe('expired');
    expect(signal.aborted).toBe(true);
    expect(process.election.isLeader).toBe(false);
    await clock.advance(LOCK_DELAY_MS + 2_000);
    expect(process.events).toEqual([
      expect.anything(),
      'expired',
      `elected ${consul.entry?.modifyIndex}`,
    ]);
  });

  it('whose renewal is answered too late has lost that lead, though its session lives', async () => {
    const { clock, consul, start } = scene();
    const process = await start();
    process.fate = ({ name }) => (name === 'renew' ? { toMs: 0, backMs: 2_000 } : 'good');
    await clock.advance(RENEW_MS);
    process.stop(); // the renewal is out
    process.fate = () => 'good';
    await clock.advance(VALID_MS - RENEW_MS + 1);
    const before = process.election.fencingToken;
    expect(process.election.isLeader).toBe(false);
    await process.continue('replies');
    await settle();
    expect(process.events.slice(1)).toEqual(['expired', `elected ${consul.entry?.modifyIndex}`]);
    expect(before).toBeUndefined();
    expect(process.election.isLeader).toBe(true);
  });

  it('that can renew again leads again at once, with a higher token', async () => {
    const { clock, leader, standby } = await pair();
    const before = leader.election.fencingToken ?? NaN;
    await clock.advance(RENEW_MS);
    leader.fate = ({ name }) => (name === 'renew' ? 'refused' : 'good');
    await clock.advance(VALID_MS + 1_000);
    expect(leader.events.at(-1)).toBe('expired');
    leader.fate = () => 'good';
    await clock.advance(2_500);
    expect(leader.election.isLeader).toBe(true);
    expect(leader.election.fencingToken).toBeGreaterThan(before);
    expect(standby.events).toEqual([]);
  });

  it('steps down at once when its session is gone, and stands again with a new one', async () => {
    const { clock, consul, start } = scene();
    const process = await start();
    process.fate = ({ name }) => (name === 'park' ? 'lost' : 'good');
    await clock.advance(1); // what is parked now is answered
    consul.loseState();
    process.fate = ({ name }) => (name === 'park' || name === 'read' ? 'lost' : 'good');
    const parked = process.events.length;
    await clock.advance(RENEW_MS);
    expect(process.events[parked]).toMatch(/^(session-lost|lock-lost)$/);
    expect(timesOf(process, 'create')).toHaveLength(2);
  });

  it('steps down on a 404 to a renewal', async () => {
    const { clock, start } = scene();
    const process = await start();
    const { signal } = await process.election.whenLeader();
    process.fate = ({ name }) =>
      name === 'renew' ? { status: 404, body: "Session id '1' not found" } : 'good';
    await clock.advance(RENEW_MS - 1);
    expect(process.election.isLeader).toBe(true);
    await clock.advance(1);
    expect(process.events.slice(1)).toEqual(['session-lost']);
    expect(signal.aborted).toBe(true);
    expect(timesOf(process, 'create')).toEqual([0, RENEW_MS]);
  });

  it.each<[string, (consul: ConsulModel) => void]>([
    ['its session is destroyed', (consul) => consul.destroySession('session-1')],
    ['the lock is released for it', (consul) => consul.release()],
    ['the key is deleted', (consul) => consul.deleteKey()],
  ])('steps down at once when %s', async (_what, act) => {
    const { consul, leader, standby, clock } = await pair();
    const before = leader.election.fencingToken ?? NaN;
    act(consul);
    await settle();
    expect(leader.events[1]).toBe('lock-lost');
    await clock.advance(LOCK_DELAY_MS + 2_000);
    const tokens = [leader, standby].map(({ election }) => election.fencingToken ?? 0);
    expect(Math.max(...tokens)).toBeGreaterThan(before);
  });

  it('that loses its lock without a lock-delay is followed by no other before that time', async () => {
    const { clock, consul, leader, standby } = await pair();
    leader.stop(); // it will not notice
    consul.deleteKey();
    await clock.advance(LOCK_DELAY_MS - 1);
    expect(standby.events).toEqual([]);
    expect(standby.faults[0]).toContain('stands back for 15.0 s');
    await clock.advance(2_000);
    expect(standby.events).toEqual([`elected ${consul.entry?.modifyIndex}`]);
  });

  it('that Consul has forgotten, counting anew, is followed by no other before that time', async () => {
    const { clock, consul, leader, standby } = await pair();
    leader.stop();
    Object.assign(consul, { index: 3 });
    Object.assign(consul.entry ?? {}, { session: undefined, modifyIndex: 3 });
    await clock.advance(30_000 + LOCK_DELAY_MS - 1); // it sees this as what it is parked on ends
    expect(standby.events).toEqual([]);
    await clock.advance(2_000);
    expect(standby.election.isLeader).toBe(true);
  });

  it('minds no plain write to the key, and no token is lower for it', async () => {
    const { clock, consul, leader, standby } = await pair();
    const before = leader.election.fencingToken ?? NaN;
    consul.overwrite('who was that?');
    await clock.advance(1_000);
    expect(consul.entry?.lockIndex).toBe(0);
    expect(leader.election).toMatchObject({ isLeader: true, fencingToken: before });
    await leader.election.resign();
    await settle();
    expect(standby.election.fencingToken).toBeGreaterThan(before);
  });
});

describe('fencing tokens', () => {
  it('go on from the highest seen when Consul loses its state, for all who come after', async () => {
    const { clock, consul, leader, standby } = await pair();
    consul.index = 1_000;
    consul.overwrite('one');
    await clock.advance(100);
    consul.loseState();
    await clock.advance(LOCK_DELAY_MS + 7_000);
    const [first, second] = leader.election.isLeader ? [leader, standby] : [standby, leader];
    expect(consul.entry?.modifyIndex).toBeLessThan(100);
    const token = first.election.fencingToken ?? NaN;
    expect(token).toBeGreaterThan(1_000);
    expect(first.faults.some((text) => text.includes('it lost its state'))).toBe(true);

    await first.election.resign();
    await settle();
    expect(second.election.fencingToken).toBeGreaterThan(token);
    // One who knows nothing of the past learns of it from the key.
    const third = new Process(consul);
    await settle();
    const before = second.election.fencingToken ?? NaN;
    await Promise.all([first.election.close(), second.election.close()]);
    await clock.advance(2_000);
    expect(third.election.fencingToken).toBeGreaterThan(before);
    expect(third.faults).toEqual([]);
  });
});

describe('faults', () => {
  it('without a session are tried again with full jitter, up to a third of the time to live', async () => {
    const { clock, consul } = scene();
    const process = new Process(consul);
    process.fate = () => 'refused';
    await clock.advance(30_000);
    expect(timesOf(process, 'create').slice(0, 9)).toEqual([
      0, 125, 375, 875, 1_875, 3_875, 7_875, 12_875, 17_875,
    ]);
    expect(process.faults[0]).toBe(
      `Consul, election "${KEY}": no session was made: connect (ECONNREFUSED); trying again in 0.1 s.`,
    );
    expect(process.election.status()).toMatchObject({
      role: 'standby',
      sessionAgeMs: undefined,
      lastFault: { message: expect.stringContaining('no session was made') },
    });
    process.fate = () => 'good';
    await clock.advance(5_000);
    expect(process.election.isLeader).toBe(true);
  });

  it.each<RequestName>(['create', 'read', 'acquire', 'read back'])(
    'of rights (403) to %s are told, and tried again after 20 to 40 s',
    async (denied) => {
      const { clock, consul } = scene();
      const process = new Process(consul, { token: 'hunter2' });
      process.fate = ({ name }) =>
        name === denied ? { status: 403, body: 'Permission denied: hunter2' } : 'good';
      await clock.advance(59_999);
      expect(timesOf(process, denied)).toEqual([0, 30_000]);
      expect(process.faults.filter((text) => text.includes('403'))).toHaveLength(1);
      expect(process.faults[0]).toContain('status 403, Permission denied: ***; check the option');
      expect(JSON.stringify(process.election.status())).not.toContain('hunter2');
      process.fate = () => 'good';
      await clock.advance(1);
      expect(process.election.isLeader).toBe(true);
    },
  );

  it.each(['refused', { status: 403 }] as const)(
    'of one text are told at most once a minute, %o',
    async (fate) => {
      const { clock, start } = scene();
      const process = await start();
      process.fate = () => fate;
      await clock.advance(600_000);
      const texts = process.faults.map((text) => text.split('; trying again')[0]);
      const times = new Map<string | undefined, number>();
      for (const text of texts) times.set(text, (times.get(text) ?? 0) + 1);
      expect(times.size).toBeGreaterThan(1);
      expect(Math.max(...times.values())).toBeLessThanOrEqual(10);
      expect(Math.max(...times.values())).toBeGreaterThan(5);
      // The newest is known all the same.
      expect(process.election.status().lastFault?.agoMs).toBeLessThan(45_000);
    },
  );

  it('of rights are tried again soon where the token may have been rotated', async () => {
    const { clock, consul } = scene();
    let asked = 0;
    const process = new Process(consul, { token: () => `token-${++asked}` });
    process.fate = ({ token }) => (token === 'token-1' ? { status: 403 } : 'good');
    await clock.advance(125);
    expect(process.election.isLeader).toBe(true);
  });

  it('make the next read one that does not wait', async () => {
    const { clock, consul, leader } = await pair();
    leader.fate = ({ name }) => (name === 'park' ? { status: 500 } : 'good');
    const seen = leader.requests.length;
    consul.overwrite('x');
    await clock.advance(200);
    expect(leader.requests.slice(seen, seen + 2).map(({ name }) => name)).toEqual(['park', 'read']);
    expect(leader.election.isLeader).toBe(true);
  });

  it('include an index that goes backwards', async () => {
    const { clock, consul, standby } = await pair();
    const seen = standby.requests.length;
    consul.index = 2;
    if (consul.entry !== undefined) consul.entry.modifyIndex = 3;
    await clock.advance(30_000);
    expect(
      standby.requests
        .slice(seen)
        .map(({ name }) => name)
        .filter((name) => name !== 'renew'),
    ).toEqual(['read', 'park']);
  });

  it('of a socket that hangs are found out by the deadline', async () => {
    const { clock, consul, start } = scene();
    const leader = await start();
    const standby = new Process(consul);
    standby.fate = ({ name }) => (name === 'park' ? 'lost' : 'good');
    await clock.advance(100);
    leader.stop();
    await clock.advance(30_000 * (17 / 16) + 8_000);
    expect(standby.faults[0]).toContain('no whole reply within 39.875 s');
    await clock.advance(1_000);
    expect(standby.election.isLeader).toBe(true);
  });

  it('that end make a standby look at once, whatever its other socket waits for', async () => {
    const { clock, standby } = await pair();
    await clock.advance(RENEW_MS - 1);
    standby.fate = () => 'refused';
    await clock.advance(1);
    const seen = standby.sent('read').length;
    standby.fate = () => 'good';
    await clock.advance(200);
    expect(standby.sent('read')).toHaveLength(seen + 1);
  });

  it('of the data cost no more than themselves', async () => {
    const { clock, start } = scene();
    const process = await start();
    for (const body of ['<html>', '[]', '{}', '[{}]', 'null']) {
      process.fate = ({ name }) =>
        name === 'park' || name === 'read' ? { status: 200, body } : 'good';
      process.election.status();
      await clock.advance(40_000);
    }
    expect(process.election.isLeader).toBe(true);
    expect(process.faults.length).toBeGreaterThan(4);
    expect(process.faults.length).toBeLessThan(100);
  });

  it('make no hot loop of a key that is written all the time', async () => {
    const { clock, consul, standby } = await pair();
    const before = standby.requests.length;
    for (let i = 0; i < 1_000; i++) {
      consul.overwrite(String(i));
      await clock.advance(10);
    }
    const reads = standby.requests.slice(before).filter(({ name }) => /read|park/.test(name));
    expect(reads.length).toBeLessThan(20 + 5 * 10 + 2);
  });
});

describe('a lock that is held by a candidate that does not lead', () => {
  it.each<[string, (name: RequestName) => Fate]>([
    [
      'its renewals are answered too late',
      (name) => (name === 'renew' ? { toMs: 100, backMs: 2_500 } : 'good'),
    ],
    [
      'all that it asks is answered too late',
      (name) => (name === 'park' ? 'good' : { toMs: 100, backMs: 2_500 }),
    ],
    ['its renewals have no answer', (name) => (name === 'renew' ? 'reply-lost' : 'good')],
    [
      'its renewals have no answer, and it cannot release',
      (name) => (name === 'renew' ? 'reply-lost' : name === 'release' ? 'lost' : 'good'),
    ],
  ])('as %s is given up for a standby', async (_what, fateOf) => {
    const { clock, consul, leader, standby } = await pair();
    leader.fate = ({ name }) => fateOf(name);
    let ledMs = 0;
    for (let s = 0; s < 600; s++) {
      await clock.advance(1_000);
      if ([leader, standby].some(({ election }) => election.isLeader)) ledMs += 1_000;
    }
    expect(standby.election.isLeader).toBe(true);
    expect(consul.entry?.value).toBe('two');
    expect(leader.events).toHaveLength(2);
    expect(leader.faults.some((text) => text.includes('held for 10.0 s without'))).toBe(true);
    // The validity of its last renewal, the same time once more, and that of a session, with its lock-delay.
    expect(ledMs).toBeGreaterThan(600_000 - 10_000 - TTL_MS - LOCK_DELAY_MS - 5_000);
  });

  it.each<[string, RequestName, Fate]>([
    ['the key cannot be read back', 'read back', { status: 500, body: 'rpc error' }],
    ['it must not read the key back', 'read back', { status: 403 }],
    ['what is read back gets lost', 'read back', 'lost'],
    ['it does not hear that it has acquired it', 'acquire', 'reply-lost'],
  ])('as %s is given up for a standby', async (_what, name, fate) => {
    const { clock, consul, start } = scene();
    const sick = new Process(consul, { value: 'sick' });
    sick.fate = (sent) => (sent.name === name ? fate : 'good');
    await settle();
    const healthy = await start({ value: 'healthy' });
    expect(consul.entry?.value).toBe('sick');
    await clock.advance(VALID_MS - 1);
    expect(healthy.events).toEqual([]);
    await clock.advance(6_001); // with the deadline of what is under way
    expect(healthy.election.isLeader).toBe(true);
    await clock.advance(600_000);
    expect([sick.events.length, healthy.events.length]).toEqual([0, 1]);
  });

  it('is kept through one lapse, and given up for another soon after', async () => {
    const { clock, leader, standby } = await pair();
    const lapse = async (): Promise<void> => {
      leader.fate = ({ name }) => (name === 'renew' ? 'reply-lost' : 'good');
      while (leader.election.isLeader) await clock.advance(100);
      leader.fate = () => 'good';
      await clock.advance(3_000);
    };
    await lapse();
    expect(leader.election.isLeader).toBe(true);
    await clock.advance(151_000);
    await lapse();
    expect(leader.election.isLeader).toBe(true);
    expect(standby.events).toEqual([]);
    await clock.advance(100_000);
    await lapse();
    expect(standby.election.isLeader).toBe(true);
    expect(leader.faults.at(-1)).toContain('no renewal came in time twice within 150.0 s');
  });

  it('is kept through a short fault: it leads again', async () => {
    const { clock, leader, standby } = await pair();
    leader.fate = ({ name }) => (name === 'renew' ? 'reply-lost' : 'good');
    await clock.advance(VALID_MS + RENEW_MS);
    expect(leader.events.at(-1)).toBe('expired');
    leader.fate = () => 'good';
    await clock.advance(4_000);
    expect(leader.election.isLeader).toBe(true);
    expect(leader.sent('create')).toHaveLength(1);
    expect(standby.events).toEqual([]);
  });

  it('is released once Consul answers again, if it was given up meanwhile', async () => {
    const { clock, consul, leader } = await pair();
    // Consul itself is away: none of its sessions ends.
    for (const session of consul.sessions.values()) session.expiry.cancel();
    leader.fate = () => 'refused';
    await clock.advance(60_000);
    expect(consul.entry?.session).toBe('session-1');
    leader.fate = () => 'good';
    await clock.advance(TTL_MS / 3 + 1_000);
    expect(leader.sent('release').length).toBeGreaterThan(0);
    expect(consul.entry?.value).toBe('two');
  });
});

describe('what the key says', () => {
  it('may be empty', async () => {
    const { start } = scene();
    const leader = await start({ value: '' });
    const standby = await start();
    expect([leader, standby].map(({ election }) => election.leader)).toEqual(['', '']);
    await leader.election.close();
    await standby.election.close();
    expect(standby.election.leader).toBeUndefined();
  });
});

describe('a session that is given up while its leader is cut off', () => {
  it.each([10_000, 15_000, 30_000, 90_000])(
    'of %i ms has no other leader beside it, with the default lock-delay',
    async (sessionTtlMs) => {
      const { clock, consul, start } = scene();
      const leader = await start({ sessionTtlMs });
      const standby = await start({ sessionTtlMs });
      await clock.advance(sessionTtlMs / 3); // just renewed
      leader.fate = () => 'lost';
      leader.stop();
      consul.destroySession('session-1');
      const both = (): boolean => leader.election.isLeader && standby.election.isLeader;
      for (let ms = 0; ms < 2 * sessionTtlMs; ms += 100) {
        await clock.advance(100);
        expect(both()).toBe(false);
      }
      expect(standby.election.isLeader).toBe(true);
    },
  );
});

describe('a session that Consul does not know', () => {
  it('as it acquires is replaced', async () => {
    const { clock, consul } = scene();
    const process = new Process(consul, {}, half);
    process.fate = ({ name }) => {
      if (name === 'acquire' && consul.sessions.has('session-1'))
        consul.destroySession('session-1');
      return 'good';
    };
    await clock.advance(10);
    expect(timesOf(process, 'create')).toEqual([0, 0]);
    expect(process.election.isLeader).toBe(true);
    expect(consul.entry?.session).toBe('session-2');
  });
});
