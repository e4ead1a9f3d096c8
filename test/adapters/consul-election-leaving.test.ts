import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { electLeader, type Election } from '../../adapters/consul/election.js';
import type { Leadership } from '../../adapters/consul/election/lead.js';
import { holdingProcess } from '../../adapters/consul/election/leaving.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import type { Clock } from '../../src/types.js';
import { deferred, watched } from '../support/promises.js';
import { ConsulModel, KEY, Process } from './consul-election-model.js';
import { half } from './consul-scene.js';

const RENEW_MS = 5_000;
const VALID_MS = 10_000;

async function begin(): Promise<{ clock: ManualClock; consul: ConsulModel; process: Process }> {
  const clock = new ManualClock();
  const consul = new ConsulModel(clock);
  const process = new Process(consul);
  await settle();
  return { clock, consul, process };
}

describe('resign', () => {
  it('hands over to a standby, and stays one', async () => {
    const { clock, consul, process } = await begin();
    const standby = new Process(consul);
    await settle();
    await process.election.resign();
    expect(process.events.slice(1)).toEqual(['resigned']);
    await settle();
    expect(standby.election.isLeader).toBe(true);
    expect(process.sent('destroy')).toEqual([]);
    // Others have gone first: it may lead again as soon as they leave.
    await standby.election.close();
    await settle();
    expect(process.election.isLeader).toBe(true);
    expect(clock.now()).toBe(0);
  });

  it('stands back for 5 s where nobody else leads', async () => {
    const { clock, process } = await begin();
    await process.election.resign();
    await clock.advance(4_999);
    expect(process.election.isLeader).toBe(false);
    await clock.advance(1_000);
    expect(process.election.isLeader).toBe(true);
  });

  it('does not stand back for whoever went first before Consul said that the lock is free', async () => {
    const { clock, consul, process } = await begin();
    const standby = new Process(consul, { value: 'two' });
    await settle();
    process.fate = ({ name }) => (name === 'release' ? { toMs: 0, backMs: 200 } : 'good');
    const resigned = process.election.resign();
    await clock.advance(100);
    expect([standby.election.isLeader, process.election.leader]).toEqual([true, 'two']);
    await clock.advance(100);
    await resigned;
    await standby.election.close();
    await settle();
    expect(process.election.isLeader).toBe(true);
  });

  it('does nothing on a standby, and happens once at a time', async () => {
    const { consul, process } = await begin();
    const standby = new Process(consul);
    await settle();
    await standby.election.resign();
    expect(standby.sent('release')).toEqual([]);
    await Promise.all([process.election.resign(), process.election.resign()]);
    expect(process.sent('release')).toHaveLength(1);
  });

  it('that Consul does not hear of gives the session up', async () => {
    const { clock, process, consul } = await begin();
    process.fate = ({ name }) => (name === 'release' ? 'refused' : 'good');
    const resigned = process.election.resign();
    await clock.advance(1_000);
    await resigned;
    expect(process.sent('release')).toHaveLength(2 + 2); // once more with the next session
    expect(process.faults.at(-1)).toContain(
      'the lock was not released: connect (ECONNREFUSED); it is left to expire.',
    );
    expect(consul.sessions.size).toBe(2);
    await clock.advance(14_000);
    expect([...consul.sessions.keys()]).toEqual(['session-2']);
  });
});

describe('lead', () => {
  it('runs the task each time that the candidate is elected', async () => {
    const { clock, process } = await begin();
    const runs: Leadership[] = [];
    const done = watched(process.election.lead(({ ...leadership }) => void runs.push(leadership)));
    await settle();
    expect(runs.map(({ fencingToken }) => fencingToken)).toEqual([process.election.fencingToken]);
    await clock.advance(60_000); // it has returned, but the candidate leads on
    expect(runs).toHaveLength(1);
    await process.election.resign();
    expect(runs[0]?.signal.aborted).toBe(true);
    await clock.advance(6_000);
    expect(runs.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    expect(done.status).toBe('pending');
    await process.election.close();
    await settle();
    expect(done.status).toBe('resolved');
  });

  it('lets a task end before the lock is released', async () => {
    const { clock, consul, process } = await begin();
    const end = deferred<undefined>();
    void process.election.lead(() => end.promise);
    await settle();
    const resigned = watched(process.election.resign());
    await clock.advance(VALID_MS - 1);
    expect(process.election.isLeader).toBe(false);
    expect(consul.entry?.session).toBe('session-1');
    expect([process.sent('release').length, process.sent('acquire').length]).toEqual([0, 1]);
    end.resolve(undefined);
    await settle();
    expect(consul.entry?.session).toBeUndefined();
    expect(resigned.status).toBe('resolved');
  });

  it.each(['resign', 'close'] as const)(
    'does not wait to %s for longer than the lead was certain, nor leads meanwhile',
    async (leave) => {
      const { clock, consul, process } = await begin();
      await clock.advance(1_000);
      void process.election.lead(() => new Promise(() => undefined));
      await settle();
      const left = watched(process.election[leave]());
      await clock.advance(VALID_MS - 1_000 - 1);
      expect(consul.entry?.session).toBe('session-1');
      expect(process.events).toHaveLength(2);
      await clock.advance(1);
      expect(consul.entry?.session).toBeUndefined();
      expect(left.status).toBe('resolved');
    },
  );

  it('waits for its tasks for 30 s at most, however long the lead is certain', async () => {
    const clock = new ManualClock();
    const process = new Process(new ConsulModel(clock), { sessionTtlMs: 600_000 });
    await settle();
    void process.election.lead(() => new Promise(() => undefined));
    await settle();
    const resigned = watched(process.election.resign());
    await clock.advance(29_999);
    expect(resigned.status).toBe('pending');
    await clock.advance(1);
    expect(resigned.status).toBe('resolved');
  });

  it('runs no task twice at a time, and does not lead before the one at work has ended', async () => {
    const { clock, consul, process } = await begin();
    let running = 0;
    const ends = [deferred<undefined>(), deferred<undefined>()];
    let runs = 0;
    void process.election.lead(async () => {
      expect(++running).toBe(1);
      await ends[runs++]?.promise;
      running--;
    });
    await settle();
    process.fate = ({ name }) => (name === 'renew' ? 'refused' : 'good');
    await clock.advance(VALID_MS + 1_000);
    process.fate = () => 'good';
    await clock.advance(4_000);
    // Its session lives, but the lock is free for others.
    expect(consul.entry?.session).toBeUndefined();
    expect([...consul.sessions.keys()]).toEqual(['session-1']);
    expect(process.faults.at(-1)).toContain('a task of an earlier lead has not ended');
    await clock.advance(60_000);
    expect(process.election.isLeader).toBe(false);
    expect(process.sent('acquire')).toHaveLength(1);
    expect(runs).toBe(1);
    ends[0]?.resolve(undefined);
    await settle();
    expect(process.election.isLeader).toBe(true);
    expect(runs).toBe(2);
    ends[1]?.resolve(undefined);
    await process.election.close();
  });

  it('that does not end leaves the lead to a standby', async () => {
    const { clock, consul, process } = await begin();
    const standby = new Process(consul);
    void process.election.lead(() => new Promise(() => undefined));
    await settle();
    process.fate = ({ name }) => (name === 'renew' ? 'refused' : 'good');
    await clock.advance(VALID_MS + 1_000);
    process.fate = () => 'good';
    await clock.advance(4_000);
    expect(standby.election.isLeader).toBe(true);
    await clock.advance(600_000);
    expect([process.events.slice(1), standby.events.length]).toEqual([['expired'], 1]);
  });

  it('rejects with what the task throws, after closing: nobody is elected who does not work', async () => {
    const { process, consul, clock } = await begin();
    const standby = new Process(consul);
    await settle();
    const failure = new Error('no disk');
    const other = watched(process.election.lead(() => undefined));
    const done = watched(process.election.lead(() => Promise.reject(failure)));
    await clock.advance(10);
    expect(done).toMatchObject({ status: 'rejected', error: failure });
    expect(other.status).toBe('resolved');
    expect(process.events.slice(1)).toEqual(['closed']);
    expect(process.election.status().role).toBe('closed');
    expect(standby.election.isLeader).toBe(true);
    const thrown = watched(
      standby.election.lead(() => {
        throw failure;
      }),
    );
    await clock.advance(10);
    expect(thrown).toMatchObject({ status: 'rejected', error: failure });
    expect(consul.sessions.size).toBe(0);
  });

  it('takes whatever a task throws after the abort for its end, and tells what is no abort', async () => {
    const { process, clock } = await begin();
    const failure = new Error('not saved');
    const named = (name: string) => Object.assign(new Error('canceled'), { name });
    let runs = 0;
    const all = [
      (reason: unknown) => reason,
      () => new DOMException('', 'AbortError'),
      () => named('CanceledError'),
      () => failure,
      () => 'no error at all',
    ].map((toRejection) =>
      watched(
        process.election.lead(
          ({ signal }) =>
            new Promise<void>((_, reject) => {
              runs++;
              signal.addEventListener('abort', () => reject(toRejection(signal.reason)));
            }),
        ),
      ),
    );
    const causes: unknown[] = [];
    process.election.on('fault', ({ cause }) => causes.push(cause));
    await settle();
    expect(runs).toBe(all.length);
    await process.election.resign();
    await clock.advance(6_000);
    expect(all.map(({ status }) => status)).toEqual(all.map(() => 'pending'));
    expect(process.faults.map((text) => text.split('": ')[1])).toEqual([
      'a task failed after its lead was over: not saved',
      'a task failed after its lead was over: no error at all',
    ]);
    expect(causes).toEqual([failure, 'no error at all']);
    expect(process.election.isLeader).toBe(true);
    expect(runs).toBe(2 * all.length);
    await process.election.close();
    await settle();
    expect(all.map(({ status }) => status)).toEqual(all.map(() => 'resolved'));
  });
});

describe('whenLeader', () => {
  it('waits for the lead, gives it up on abort and at the end, and leaves no listener', async () => {
    const { process, consul } = await begin();
    const standby = new Process(consul);
    await settle();
    const { signal } = await process.election.whenLeader();
    expect(signal.aborted).toBe(false);

    const controller = new AbortController();
    const waits = Array.from({ length: 3 }, () =>
      watched(standby.election.whenLeader({ signal: controller.signal })),
    );
    const other = watched(standby.election.whenLeader());
    await settle();
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(3);
    controller.abort(new Error('enough'));
    await settle();
    expect(waits[2]).toMatchObject({ status: 'rejected', error: controller.signal.reason });
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    await expect(standby.election.whenLeader({ signal: controller.signal })).rejects.toThrow(
      'enough',
    );

    expect(other.status).toBe('pending');
    await process.election.resign();
    await settle();
    expect(other.value?.fencingToken).toBe(standby.election.fencingToken);

    const late = watched(process.election.whenLeader());
    await process.election.close();
    expect(late.error).toMatchObject({ code: 'ERR_FAIRLEAD_CLOSED' });
    await expect(process.election.whenLeader()).rejects.toMatchObject({
      code: 'ERR_FAIRLEAD_CLOSED',
      message: `The election "${KEY}" is closed.`,
    });
    await expect(process.election.lead(() => undefined)).resolves.toBeUndefined();
    await standby.election.close();
  });
});

describe('close', () => {
  type Arrange = (scene: { clock: ManualClock; process: Process; consul: ConsulModel }) => unknown;

  it.each<[string, Arrange]>([
    ['as the leader', () => undefined],
    [
      'while it works',
      ({ process }) =>
        void process.election.lead(async ({ signal }) => {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        }),
    ],
    [
      'while a renewal is out',
      async ({ clock, process }) => {
        process.fate = () => ({ toMs: 1_000, backMs: 1_000 });
        await clock.advance(RENEW_MS);
      },
    ],
    [
      'as it has lapsed',
      async ({ clock, process }) => {
        process.fate = ({ name }) => (name === 'renew' ? 'lost' : 'good');
        await clock.advance(VALID_MS + 1);
      },
    ],
    ['as it resigns', ({ process }) => void process.election.resign()],
    ['standing back', ({ process }) => process.election.resign()],
    ['when its session is gone', ({ consul }) => consul.loseState()],
    ['twice', ({ process }) => void process.election.close()],
  ])('%s leaves nothing behind', async (_what, arrange) => {
    const scene = await begin();
    const { clock, process, consul } = scene;
    await arrange(scene);
    process.fate = () => 'good';
    const closed = watched(process.election.close());
    expect(process.election.isLeader).toBe(false);
    expect(process.election.status().role).toBe('closed');
    await clock.advance(10);
    expect(closed.status).toBe('resolved');
    expect([...consul.sessions.keys()]).toEqual([]);
    expect(consul.entry?.session).toBeUndefined();
    expect(process.pendingTimers).toBe(0);
    expect(consul.parked).toBe(0);
    expect(process.election.leader).toBeUndefined();
    const sent = process.requests.length;
    await clock.advance(100_000);
    expect(process.requests).toHaveLength(sent);
  });

  it.each([
    ['create', 1],
    ['read', 0],
    ['acquire', 1],
    ['read back', 1],
  ] as const)('while it waits for the reply to %s leaves nothing behind', async (name, backMs) => {
    const clock = new ManualClock();
    const consul = new ConsulModel(clock);
    const process = new Process(consul);
    process.fate = (sent) =>
      sent.name === name ? { toMs: 1_000, backMs: backMs * 1_000 } : 'good';
    await clock.advance(500);
    expect(process.requests.at(-1)?.name).toBe(name);
    const closed = watched(process.election.close());
    await clock.advance(2_000);
    expect(closed.status).toBe('resolved');
    expect(consul.sessions.size).toBe(0);
    expect(consul.entry?.session).toBeUndefined();
    expect(process.events).toEqual([]);
    expect(process.pendingTimers).toBe(0);
    // No lock-delay either: another leads at once.
    const next = new Process(consul);
    await settle();
    expect(next.election.isLeader).toBe(true);
  });

  it.each(['refused', 'lost'] as const)('ends though everything is %s', async (fate) => {
    for (const phase of ['before', 'after'] as const) {
      const clock = new ManualClock();
      const process = new Process(new ConsulModel(clock));
      if (phase === 'before') process.fate = () => fate;
      await clock.advance(4_000);
      process.fate = () => fate;
      const closed = watched(process.election.close());
      await clock.advance(5_000 + 2 * 2_000 + 2 * 2_000);
      expect(closed.status).toBe('resolved');
      expect(process.pendingTimers).toBe(0);
      expect(process.election.isLeader).toBe(false);
    }
  });

  it('waits for a handover under way, and forgets who leads', async () => {
    const { clock, consul, process } = await begin();
    process.fate = ({ name }) => (name === 'release' ? { toMs: 500, backMs: 500 } : 'good');
    const resigned = watched(process.election.resign());
    const closed = watched(process.election.close());
    await clock.advance(999);
    expect(process.sent('release')).toHaveLength(1);
    await clock.advance(1_001);
    expect(process.sent('release')).toHaveLength(1);
    expect([resigned.status, closed.status]).toEqual(['resolved', 'resolved']);
    expect(process.faults).toEqual([]);
    expect(consul.sessions.size).toBe(0);
    expect(process.election.leader).toBeUndefined();
  });

  it.each(['resign', 'close'] as const)(
    'and the like, %s, need not be waited for, and go on',
    async (leave) => {
      const { clock, consul, process } = await begin();
      void process.election.lead(() => new Promise(() => undefined));
      await settle();
      const controller = new AbortController();
      const left = watched(process.election[leave]({ signal: controller.signal }));
      await clock.advance(1_000);
      expect(left.status).toBe('pending');
      controller.abort(new Error('enough'));
      await settle();
      expect(left).toMatchObject({ status: 'rejected', error: controller.signal.reason });
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
      expect(consul.entry?.session).toBe('session-1');
      await clock.advance(VALID_MS);
      expect(consul.entry?.session).toBeUndefined();
    },
  );

  it('in a listener of an event is heeded', async () => {
    const { consul, process } = await begin();
    const standby = new Process(consul);
    standby.election.on('elected', () => void standby.election.close());
    await settle();
    await process.election.resign();
    await settle();
    await settle();
    expect(standby.election.status().role).toBe('closed');
    expect([...consul.sessions.keys()]).toEqual(['session-1']);
  });

  it('is what `await using` does', async () => {
    const clock = new ManualClock();
    const consul = new ConsulModel(clock);
    {
      await using election = new Process(consul).election;
      await election.whenLeader();
    }
    expect(consul.sessions.size).toBe(0);
  });
});

describe('the process', () => {
  interface Held {
    readonly clock: ManualClock;
    readonly election: Election;
    /** Timers that keep the process alive. */
    readonly holding: ReadonlySet<object>;
  }

  async function held(): Promise<Held> {
    const clock = new ManualClock();
    const { client, election: other } = new Process(new ConsulModel(clock));
    await other.close();
    const holding = new Set<object>();
    const recording: Clock = {
      now: () => clock.now(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
      setTimer: (ms, fn) => {
        const timer = clock.setTimer(ms, () => {
          holding.delete(timer);
          fn();
        });
        holding.add(timer);
        return {
          cancel: () => {
            holding.delete(timer);
            timer.cancel();
          },
          unref: () => holding.delete(timer),
        };
      },
    };
    const election = electLeader({ key: 'other', client, env: { clock: recording, rng: half } });
    return { clock, election, holding };
  }

  it('is kept alive by an election only for what somebody waits for', async () => {
    const { clock, election, holding } = await held();
    await election.whenLeader();
    for (let i = 0; i < 20; i++) {
      await clock.advance(1_000);
      expect(holding.size).toBe(0);
    }
    const closed = election.close();
    expect(holding.size).toBe(1);
    await closed;
    expect(holding.size).toBe(0);
  });

  it('is kept alive by whenLeader, until it settles', async () => {
    const { clock, election, holding } = await held();
    const controller = new AbortController();
    const waits = [
      watched(election.whenLeader()),
      watched(election.whenLeader({ signal: controller.signal })),
    ];
    expect(holding.size).toBe(2);
    controller.abort();
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
    expect(holding.size).toBe(1);
    await clock.advance(10_000);
    expect(waits.map(({ status }) => status)).toEqual(['resolved', 'rejected']);
    expect(election.isLeader).toBe(true);
    expect(holding.size).toBe(0);
  });

  it('is kept alive by lead, elected or not, for as long as it takes', async () => {
    const { clock, election, holding } = await held();
    const done = watched(election.lead(() => undefined));
    expect(holding.size).toBe(1);
    await clock.advance(60_000);
    expect(election.isLeader).toBe(true);
    expect(holding.size).toBe(1);
    await election.close();
    await settle();
    expect(done.status).toBe('resolved');
    expect(holding.size).toBe(0);
  });

  it('is kept alive for longer than a timer of Node can be', async () => {
    const clock = new ManualClock();
    const end = deferred<undefined>();
    const held = holdingProcess(clock, () => end.promise);
    await clock.advance(3 * 2_147_483_647);
    expect(clock.pendingTimers).toBe(1);
    end.resolve(undefined);
    await held;
    expect(clock.pendingTimers).toBe(0);
  });

  it('is not kept alive by a task that does not end, once the election is closed', async () => {
    const { clock, election, holding } = await held();
    const done = watched(election.lead(() => new Promise(() => undefined)));
    await clock.advance(10);
    const closed = watched(election.close());
    await clock.advance(VALID_MS + 10);
    expect(closed.status).toBe('resolved');
    expect(done.status).toBe('pending');
    expect(holding.size).toBe(0);
  });
});
