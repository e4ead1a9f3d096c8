import { describe, expect, it } from 'vitest';
import { Events } from '../src/events.js';
import { InstanceSet } from '../src/instance-set.js';
import type { Breaker } from '../src/instance-state.js';
import { adaptiveLoad } from '../src/policies/adaptive-load.js';
import { random } from '../src/policies/random.js';
import { rendezvous } from '../src/policies/rendezvous.js';
import { roundRobin } from '../src/policies/round-robin.js';
import { sticky } from '../src/policies/sticky.js';
import { Selection, type SelectionOptions } from '../src/selection.js';
import { available } from '../src/stages/available.js';
import { slice } from '../src/stages/part.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { memoryAdapter, type MemoryAdapter } from '../src/testing/memory-adapter.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import type { BreakerState, CallContext, Picker, Policy, Stage } from '../src/types.js';
import { fixedRng, specs } from './support/fixtures.js';

interface Rig {
  readonly selection: Selection;
  readonly set: InstanceSet;
  readonly source: MemoryAdapter;
  readonly clock: ManualClock;
  pick(context?: Partial<CallContext>): string | undefined;
}

/** A selection over real records, with stages of the test's own. */
async function made(
  names: readonly string[],
  options: Partial<SelectionOptions> = {},
  breakers: Readonly<Record<string, BreakerState>> = {},
  rng = seededRng(1),
): Promise<Rig> {
  const clock = new ManualClock();
  const env = { clock, rng };
  const source = memoryAdapter(specs(...names));
  const set = new InstanceSet(
    { service: 'orders', discovery: source, shrinkGraceMs: 0, slowStartMs: 30_000 },
    env,
    new Events(),
    {
      traffic: { inFlight: 0 },
      clock,
      learner: adaptiveLoad(),
      createBreaker: ({ instance }) => breakerThatIs(breakers[instance.id] ?? { kind: 'closed' }),
    },
  );
  await settle();
  for (const { state } of set.members()) state.begin(0).end('ignored'); // breakers are made on first use
  const selection = new Selection(set, { stages: [], policy: random(), ...options }, env);
  return {
    selection,
    set,
    source,
    clock,
    pick: (context = {}) => {
      const lease = selection.pick({
        nowMs: clock.now(),
        excluded: new Set(),
        hashKey: undefined,
        inFlight: 0,
        retry: (context.excluded?.size ?? 0) > 0,
        passing: false,
        ...context,
      });
      lease?.end('ignored');
      return lease?.instance.id;
    },
  };
}

function breakerThatIs(state: BreakerState): Breaker {
  return {
    state,
    heldUntilMs: -Infinity,
    admit: () => 0,
    record: () => false,
    trip: () => undefined,
    shutdown: () => undefined,
  };
}

/** Divides by the first letter of the id, `{ a: 0.9, b: 0.1 }`. */
function divided(ratios: Readonly<Record<string, number>>): Stage {
  return {
    name: 'divided',
    apply: (part) =>
      Object.entries(ratios).map(([letter, ratio]) =>
        slice(part, letter, ratio, ({ instance }) => instance.id.startsWith(letter)),
      ),
  };
}

/** Shares of the first letters among 10,000 picks. */
function shares(picked: readonly (string | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const id of picked) {
    const letter = id?.[0] ?? 'none';
    counts[letter] = (counts[letter] ?? 0) + 1 / picked.length;
  }
  return counts;
}

const PICKS = 10_000;
/** Five standard deviations of a share of 10,000 picks, at most 0.5 / sqrt(10,000) each. */
const TOLERANCE = (5 * 0.5) / Math.sqrt(PICKS);

describe('parts', () => {
  it('take the calls in proportion to their ratios', async () => {
    const { pick, selection } = await made(['a1', 'a2', 'b1', 'c1'], {
      stages: [divided({ a: 0.2, b: 0.7, c: 0.1 })],
    });
    const share = shares(Array.from({ length: PICKS }, () => pick()));
    expect(Math.abs((share['a'] ?? 0) - 0.2)).toBeLessThan(TOLERANCE);
    expect(Math.abs((share['b'] ?? 0) - 0.7)).toBeLessThan(TOLERANCE);
    expect(Math.abs((share['c'] ?? 0) - 0.1)).toBeLessThan(TOLERANCE);
    expect(selection.explain(0).parts).toEqual([
      { name: 'a', ratio: 0.2, candidates: 2 },
      { name: 'b', ratio: 0.7, candidates: 1 },
      { name: 'c', ratio: 0.1, candidates: 1 },
    ]);
    expect(selection.explain(0).reason).toBe('random chose among 4 candidate(s) in 3 parts');
  });

  it('of ratio 0 are a reserve, used in order by a call that has tried the others', async () => {
    const { pick } = await made(['a1', 'a2', 'b1', 'c1'], {
      stages: [divided({ a: 1, b: 0, c: 0 })],
    });
    expect(Object.keys(shares(Array.from({ length: 1_000 }, () => pick())))).toEqual(['a']);
    expect(pick({ excluded: new Set(['a1']) })).toBe('a2');
    expect(pick({ excluded: new Set(['a1', 'a2']) })).toBe('b1');
    expect(pick({ excluded: new Set(['a1', 'a2', 'b1']) })).toBe('c1');
    expect(pick({ excluded: new Set(['a1', 'a2', 'b1', 'c1']) })).toBeUndefined();
  });

  it('without a candidate are dropped, and what they had goes to the others', async () => {
    const { pick, selection } = await made(['a1', 'b1'], {
      stages: [divided({ x: 0.5, a: 0.25, b: 0.25 })],
    });
    expect(selection.explain(0).parts.map(({ name }) => name)).toEqual(['a', 'b']);
    const picked = Array.from({ length: 1_000 }, () => pick());
    expect(picked).not.toContain(undefined);
  });

  it('of ratio 0 get nothing of what a part without a candidate had, though they come first', async () => {
    const { pick } = await made(['a1', 'b1'], {
      stages: [divided({ a: 0, b: 0.25, x: 0.75 })],
    });
    expect(Object.keys(shares(Array.from({ length: 1_000 }, () => pick())))).toEqual(['b']);
  });

  it('of ratio 0 are not drawn by a random number of 0', async () => {
    const stages = [divided({ a: 0, b: 1 })];
    const { pick } = await made(['a1', 'b1'], { stages }, {}, fixedRng(0));
    expect(pick()).toBe('b1');
  });

  it('all of ratio 0 are used in order', async () => {
    const { pick } = await made(['a1', 'b1'], { stages: [divided({ b: 0, a: 0 })] });
    expect(pick()).toBe('b1');
  });

  it('are divided further by the next stage', async () => {
    const byNumber: Stage = {
      name: 'by number',
      apply: (part) =>
        ['1', '2'].map((digit) =>
          slice(part, digit, part.ratio / 2, ({ instance }) => instance.id.endsWith(digit)),
        ),
    };
    const { selection } = await made(['a1', 'a2', 'b1'], {
      stages: [divided({ a: 0.8, b: 0.2 }), byNumber],
    });
    expect(selection.explain(0)).toMatchObject({
      parts: [
        { name: 'a, 1', ratio: 0.4 },
        { name: 'a, 2', ratio: 0.4 },
        { name: 'b, 1', ratio: 0.1 },
      ],
      stages: [{ left: 3 }, { name: 'divided', left: 3 }, { name: 'by number', left: 3 }],
    });
  });
});

describe('a key', () => {
  const stages = [divided({ a: 0.3, b: 0.7 })];
  const keys = Array.from({ length: PICKS }, (_, i) => `user-${String(i)}`);

  it('stays in its part, where the policy goes by keys, and keys spread by ratio', async () => {
    const { pick } = await made(['a1', 'a2', 'b1', 'b2'], { stages, policy: rendezvous() });
    for (const hashKey of keys.slice(0, 50)) {
      const ids = Array.from({ length: 5 }, () => pick({ hashKey }));
      expect(new Set(ids).size).toBe(1);
    }
    const picked = keys.map((hashKey) => pick({ hashKey }));
    expect(Math.abs((shares(picked)['a'] ?? 0) - 0.3)).toBeLessThan(TOLERANCE);
    // Which part a key is in says nothing of where in it: both halves of `b` have as many.
    const inB = picked.filter((id) => id?.startsWith('b'));
    const inB1 = inB.filter((id) => id === 'b1').length / inB.length;
    expect(Math.abs(inB1 - 0.5)).toBeLessThan((5 * 0.5) / Math.sqrt(inB.length));
  });

  it('does not bind a policy that does not go by keys', async () => {
    const { pick } = await made(['a1', 'b1'], { stages });
    const picked = Array.from({ length: 100 }, () => pick({ hashKey: 'user-7' }));
    expect(Object.keys(shares(picked)).sort()).toEqual(['a', 'b']);
  });
});

describe('a trial', () => {
  const stages: Stage[] = [
    {
      name: 'trying',
      apply: (part) => [
        slice(part, 'main', 0.9, ({ instance }) => instance.id !== 'new'),
        { ...slice(part, 'trial', 0.1, ({ instance }) => instance.id === 'new'), trial: true },
      ],
    },
  ];

  it('may be any call, whatever its key', async () => {
    const { pick } = await made(['a1', 'b1', 'new'], { stages, policy: rendezvous() });
    const picked = Array.from({ length: PICKS }, () => pick({ hashKey: 'the only one' }));
    const trials = picked.filter((id) => id === 'new').length / PICKS;
    expect(Math.abs(trials - 0.1)).toBeLessThan(TOLERANCE);
    expect(new Set(picked).size).toBe(2); // else the key has its one instance
  });
});

describe('keys in parts', () => {
  const keys = Array.from({ length: 2_000 }, (_, i) => `user-${String(i)}`);

  it('move away from a part that loses and to one that gains, and few others', async () => {
    const ratios = { a: 0.5, b: 0.3, c: 0.2 };
    const { pick, set } = await made(['a1', 'b1', 'c1'], {
      stages: [
        {
          name: 'moving',
          apply: (part) =>
            Object.entries(ratios).map(([letter, ratio]) =>
              slice(part, letter, ratio, ({ instance }) => instance.id.startsWith(letter)),
            ),
        },
      ],
      policy: rendezvous(),
    });
    const before = keys.map((hashKey) => pick({ hashKey }));
    Object.assign(ratios, { a: 0.4, b: 0.3, c: 0.3 });
    set.invalidate();
    const after = keys.map((hashKey) => pick({ hashKey }));
    const moves = before.flatMap((id, i) => (id === after[i] ? [] : [`${id} to ${after[i]}`]));
    // A tenth at least; some of a's go to b, which gives as many to c.
    expect(moves.length / keys.length).toBeLessThan(0.15);
    expect(moves.filter((move) => move.endsWith('to a1') || move.startsWith('c1'))).toEqual([]);
  });

  it('with a session stay with it through a retry elsewhere, and a trial', async () => {
    const { pick } = await made(['a1', 'b1', 'b2', 'new'], {
      stages: [
        {
          name: 'trying',
          apply: (part) => [
            slice(part, 'a', 0.8, ({ instance }) => instance.id === 'a1'),
            slice(part, 'b', 0.1, ({ instance }) => instance.id.startsWith('b')),
            { ...slice(part, 'new', 0.1, ({ instance }) => instance.id === 'new'), trial: true },
          ],
        },
      ],
      policy: sticky(),
    });
    const home = (hashKey: string): string | undefined => {
      for (;;) {
        const id = pick({ hashKey });
        if (id !== 'new') return id; // a trial now and then
      }
    };
    for (const hashKey of keys.slice(0, 50)) {
      const before = home(hashKey);
      if (before === undefined) throw new Error('nothing picked');
      for (let i = 0; i < 20; i++) pick({ hashKey });
      const elsewhere = pick({ hashKey, excluded: new Set([before]) });
      expect(elsewhere).not.toBe(before);
      expect(home(hashKey)).toBe(before);
    }
  });

  it('with a session stay with it when a part appears, is divided, or goes', async () => {
    let letters = ['a', 'b'];
    const dividing: Stage = {
      name: 'dividing',
      apply: (part) =>
        letters.length === 0
          ? [part]
          : letters.map((letter) =>
              slice(part, letter, 1 / letters.length, ({ instance }) =>
                instance.id.startsWith(letter),
              ),
            ),
    };
    const { pick, set } = await made(['a1', 'a2', 'b1', 'b2'], {
      stages: [dividing],
      policy: sticky(),
    });
    const places = (): (string | undefined)[] =>
      keys.slice(0, 300).map((hashKey) => pick({ hashKey }));
    const first = places();
    letters = [];
    set.invalidate();
    expect(places()).toEqual(first);
    letters = ['b', 'a'];
    set.invalidate();
    expect(places()).toEqual(first);
  });
});

describe('a big set', () => {
  const names = Array.from({ length: 2_000 }, (_, i) => `i${String(i)}`);

  it('is not looked through anew for each breaker, and picks none that has gone out since', async () => {
    const states: Record<string, BreakerState> = {};
    const { pick, set, clock, selection } = await made(
      names,
      { policy: roundRobin(), stages: [available(0.5)] },
      states,
    );
    let builds = 0;
    const looked = (): number => selection.explain(clock.now()).candidates.length;
    pick();
    expect(looked()).toBe(2_000);
    const isOut = new Set<string>();
    for (let i = 0; i < 40; i++) {
      await clock.advance(1);
      const id = `i${String(i * 10)}`;
      isOut.add(id);
      const member = set.members().find(({ instance }) => instance.id === id);
      Object.defineProperty(member?.state, 'breaker', {
        value: { kind: 'open', untilMs: Infinity },
      });
      set.noteBreaker();
      for (let n = 0; n < 50; n++) expect(isOut).not.toContain(pick());
      builds = selection.rebuilds;
    }
    // 2,000 instances rest for 20 ms: in 40 ms they are looked through twice more.
    expect(builds).toBeLessThanOrEqual(3);
    await clock.advance(20);
    pick();
    expect(looked()).toBe(2_000 - 40);
  });

  it('is looked through anew at once when too many have gone out', async () => {
    const { pick, set, clock } = await made(names, {
      stages: [available(0), divided({ i1: 1, i: 0 })],
    });
    pick();
    await clock.advance(1);
    for (const { instance, state } of set.members()) {
      if (!instance.id.startsWith('i1')) continue;
      Object.defineProperty(state, 'breaker', { value: { kind: 'open', untilMs: Infinity } });
    }
    set.noteBreaker();
    for (let i = 0; i < 50; i++) expect(pick()).not.toMatch(/^i1/);
  });

  it('is looked through at once when the list has changed', async () => {
    const { pick, source, selection, clock } = await made(names);
    pick();
    source.set(specs(...names.slice(1_000)));
    await settle();
    expect(selection.explain(clock.now()).candidates).toHaveLength(1_000);
  });
});

describe('a retry', () => {
  const OPEN: BreakerState = { kind: 'half-open', probeUntilMs: undefined };

  it('goes to another part rather than to an instance on trial', async () => {
    const { pick } = await made(
      ['a1', 'a2', 'b1'],
      { stages: [divided({ a: 1, b: 0 })] },
      { a2: OPEN },
    );
    expect(pick({ excluded: new Set(['a1']) })).toBe('b1');
    expect(pick({ excluded: new Set(['a1', 'b1']) })).toBe('a2');
  });

  it('passes over a part that has but instances on trial', async () => {
    const { pick } = await made(
      ['a1', 'b1', 'c1'],
      { stages: [divided({ a: 1, b: 0, c: 0 })] },
      { b1: OPEN },
    );
    expect(pick({ excluded: new Set(['a1']) })).toBe('c1');
    expect(pick({ excluded: new Set(['a1', 'c1']) })).toBe('b1');
  });
});

/** A policy that notes its builds. */
function noted(): Policy & {
  readonly builds: string[][];
  readonly previous: (string | undefined)[];
} {
  const builds: string[][] = [];
  const previous: (string | undefined)[] = [];
  const names = new Map<Picker, string>();
  return {
    name: 'noted',
    builds,
    previous,
    build: (candidates, env, before) => {
      builds.push(candidates.map(({ instance }) => instance.id));
      previous.push(before && names.get(before));
      const picker = roundRobin().build(candidates, env);
      names.set(picker, candidates.map(({ instance }) => instance.id).join());
      return picker;
    },
  };
}

describe('pickers', () => {
  it('are built for parts that changed, and handed the one before by the name of the part', async () => {
    const policy = noted();
    const { pick, source } = await made(['a1', 'a2', 'b1'], {
      policy,
      stages: [divided({ a: 0.5, b: 0.5 })],
    });
    pick();
    expect(policy.builds).toEqual([['a1', 'a2'], ['b1']]);
    source.set(specs('a1', 'b1'));
    await settle();
    pick();
    expect(policy.builds.slice(2)).toEqual([['a1']]);
    // A new one is handed that of another part: sessions and the like are shared.
    expect(policy.previous).toEqual([undefined, 'a1,a2', 'a1,a2']);
  });

  it('are kept when something changed that leaves the same candidates', async () => {
    const policy = noted();
    const { pick, set, selection } = await made(['a1', 'a2'], { policy });
    pick();
    set.invalidate();
    pick();
    expect(selection.rebuilds).toBe(1);
  });

  it('are built anew where as many candidates are left, but others', async () => {
    const policy = noted();
    const { pick, source } = await made(['a1', 'a2'], { policy });
    pick();
    source.set(specs('a1', 'a3'));
    await settle();
    pick();
    expect(policy.builds.slice(1)).toEqual([['a1', 'a3']]);
  });

  it('follow the ramp of an instance that joins warm ones, step by step', async () => {
    const policy = noted();
    const { pick, source, clock, selection } = await made(['a1', 'a2'], { policy });
    pick();
    source.set(specs('a1', 'a2', 'a3'));
    await settle();
    pick();
    expect(selection.rebuilds).toBe(2);
    await clock.advance(2_999); // the ramp begins with a tenth, which the third step exceeds
    pick();
    expect(selection.rebuilds).toBe(2);
    await clock.advance(1_001);
    pick();
    expect(selection.rebuilds).toBe(3);
    await clock.advance(60_000);
    pick();
    expect(selection.rebuilds).toBe(4);
    expect(selection.explain(clock.now()).candidates.map(({ capacity }) => capacity)).toEqual([
      1, 1, 1,
    ]);
    await clock.advance(60_000);
    pick();
    expect(selection.rebuilds).toBe(4);
  });
});

it('a call knows whether it could still go elsewhere', async () => {
  const { selection } = await made(['a', 'b']);
  expect(selection.hasUntried(new Set(['a']), 0)).toBe(true);
  expect(selection.hasUntried(new Set(['a', 'b']), 0)).toBe(false);
  expect(selection.hasUntried(new Set(['a']), 0, { id: 'b' })).toBe(false);
});

it('a seed is not asked for where all have been measured', async () => {
  let asked = 0;
  const load = { name: 'seeded', of: () => 0, seed: () => asked++ };
  const { pick, set, source } = await made(['a', 'b', 'c'], { policy: { ...random(), load } });
  pick();
  expect(asked).toBe(1);
  for (const { state } of set.members()) state.begin(0).end('success');
  source.set(specs('a', 'b'));
  await settle();
  pick();
  expect(asked).toBe(1);
});

describe('stages', () => {
  it('run again at the earliest expiry that one wished for, not before', async () => {
    let runs = 0;
    const expiring = (ms: number): Stage => ({
      name: 'expiring',
      apply: (part, { nowMs, expireAt }) => {
        runs++;
        expireAt(nowMs + ms);
        expireAt(nowMs - 1); // past: no wish
        return [part];
      },
    });
    const { pick, clock } = await made(['a'], { stages: [expiring(500), expiring(100)] });
    for (const [ms, expected] of [
      [0, 2],
      [99, 2],
      [1, 4],
      [50, 4],
      [400, 6],
    ] as const) {
      await clock.advance(ms);
      pick();
      expect(runs).toBe(expected);
    }
  });
});

describe('panic', () => {
  it('is told once when it begins and once when it ends, and its picks are counted', async () => {
    let reason: string | undefined;
    const panicking: Stage = {
      name: 'panicking',
      apply: (part, { panic }) => {
        if (reason !== undefined) panic(reason);
        return [part];
      },
    };
    const told: (string | undefined)[] = [];
    const { pick, set, selection } = await made(['a'], {
      stages: [panicking],
      onPanic: (why) => told.push(why),
    });
    const turn = (why: string | undefined): void => {
      reason = why;
      set.invalidate();
      pick();
      pick();
    };
    turn(undefined);
    turn('2 of 5');
    turn('1 of 5');
    expect(selection.panic).toBe('1 of 5');
    turn(undefined);
    expect(told).toEqual(['2 of 5', undefined]);
    expect(selection.panicPicks).toBe(4);
  });

  it('has the first of several reasons, and counts no pick that found nothing', async () => {
    const panicking = (reason: string): Stage => ({
      name: reason,
      apply: (part, { panic }) => {
        panic(reason);
        return [part];
      },
    });
    const { pick, selection } = await made(['a'], { stages: [panicking('one'), panicking('two')] });
    expect(pick({ excluded: new Set(['a']) })).toBeUndefined();
    expect(selection.panic).toBe('one');
    expect(selection.panicPicks).toBe(0);
  });
});

it('a call that has tried none could go elsewhere while there are two', async () => {
  const nobody: ReadonlySet<string> = new Set();
  const { selection: two } = await made(['a', 'b']);
  expect(two.hasUntried(nobody, 0)).toBe(true);
  expect(two.hasUntried(nobody, 0, { id: 'a' })).toBe(true);
  const { selection: one } = await made(['a']);
  expect(one.hasUntried(nobody, 0)).toBe(true);
  expect(one.hasUntried(nobody, 0, { id: 'a' })).toBe(false);
  const { selection: divided } = await made(['a', 'b'], {
    stages: [
      {
        name: 'halves',
        apply: (part) =>
          ['a', 'b'].map((id) => slice(part, id, 0.5, ({ instance }) => instance.id === id)),
      },
    ],
  });
  expect(divided.hasUntried(nobody, 0, { id: 'a' })).toBe(true);
});
