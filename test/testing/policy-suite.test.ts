import { afterEach, describe, expect, it, vi } from 'vitest';
import { weightedRoundRobin } from '../../src/policies/weighted-round-robin.js';
import { policySuite, type PolicySuiteOptions } from '../../src/testing/policy-suite.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { CallContext, Candidate, Env, Picker, Policy, Rng } from '../../src/types.js';
import { thrownBy } from '../support/promises.js';

/** Ids of the cases that reject the policy. */
async function rejecting(make: () => Policy, options?: PolicySuiteOptions): Promise<string[]> {
  const ids: string[] = [];
  for (const { id, run } of policySuite(make, options)) {
    try {
      await run();
    } catch {
      ids.push(id);
    }
  }
  return ids;
}

async function failureOf(
  make: () => Policy,
  wanted: string,
  options?: PolicySuiteOptions,
): Promise<Error> {
  const found = policySuite(make, options).find(({ id }) => id === wanted);
  try {
    await found?.run();
  } catch (error) {
    return error as Error;
  }
  throw new Error(`${wanted} held`);
}

type PickOf = (left: readonly Candidate[], context: CallContext, env: Env) => Candidate | undefined;

/** A policy without memory that chooses among what is not excluded. */
function choosing(pick: PickOf): () => Policy {
  return () => ({
    name: 'planted',
    build: (candidates, env) => ({
      pick: (context) => {
        const { excluded } = context;
        const left =
          excluded.size === 0
            ? candidates
            : candidates.filter(({ instance }) => !excluded.has(instance.id));
        return pick(left, context, env);
      },
    }),
  });
}

/** Correct: by weight, at random. */
function byWeight(left: readonly Candidate[], rng: Rng): Candidate | undefined {
  const largest = left.reduce((max, { instance }) => Math.max(max, instance.weight), 0);
  let u = rng.next() * left.reduce((sum, { instance }) => sum + instance.weight / largest, 0);
  return left.find(({ instance }) => (u -= instance.weight / largest) < 0) ?? left.at(-1);
}
const correct = choosing((left, _context, { rng }) => byWeight(left, rng));

/** A policy that takes turns. `start` says where a picker begins, given the place the one before had reached. */
function turning(start: (n: number, rng: Rng, before: number | undefined) => number): () => Policy {
  class Turns implements Picker {
    next: number;
    constructor(
      private readonly candidates: readonly Candidate[],
      rng: Rng,
      before: number | undefined,
    ) {
      this.next = start(candidates.length, rng, before);
    }
    pick({ excluded }: CallContext): Candidate | undefined {
      for (const _ of this.candidates) {
        const candidate = this.candidates[this.next++ % this.candidates.length];
        if (candidate !== undefined && !excluded.has(candidate.instance.id)) return candidate;
      }
      return undefined;
    }
  }
  return () => ({
    name: 'planted',
    build: (candidates, { rng }, previous) =>
      new Turns(candidates, rng, previous instanceof Turns ? previous.next : undefined),
  });
}
const anywhere = (n: number, rng: Rng): number => Math.floor(rng.next() * n);

/** FNV-1a with a finalizer, to 0..1, exclusive. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const char of text) h = Math.imul(h ^ char.charCodeAt(0), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (((h ^ (h >>> 16)) >>> 0) + 0.5) / 4_294_967_296;
}

type Bid = (key: string, candidate: Candidate, place: number) => number;
const bid: Bid = (key, { instance }) => -instance.weight / Math.log(hash(`${key}/${instance.id}`));

/** Rendezvous hashing by a bid; correct with {@link bid}. */
function highest(left: readonly Candidate[], key: string, by: Bid): Candidate | undefined {
  return left
    .map((candidate, place) => ({ candidate, value: by(key, candidate, place) }))
    .reduce<{ candidate: Candidate; value: number } | undefined>(
      (best, next) => (best === undefined || next.value > best.value ? next : best),
      undefined,
    )?.candidate;
}
const hashingBy = (by: Bid): (() => Policy) =>
  choosing((left, { hashKey }, { rng }) =>
    hashKey === undefined ? byWeight(left, rng) : highest(left, hashKey, by),
  );

function leastOf(left: readonly Candidate[], cost: (candidate: Candidate) => number, rng?: Rng) {
  const least = Math.min(...left.map(cost));
  const ties = left.filter((candidate) => cost(candidate) === least);
  return ties[rng === undefined ? 0 : Math.floor(rng.next() * ties.length)];
}

afterEach(() => void vi.restoreAllMocks());

describe('a correct policy passes every case', () => {
  it('by weight, at random', async () => {
    expect(await rejecting(correct)).toEqual([]);
  });

  it('rendezvous hashing', async () => {
    expect(await rejecting(hashingBy(bid), { hashes: true })).toEqual([]);
  });

  it('under other seeds', async () => {
    for (const seed of [0, 12_345]) {
      expect(await rejecting(correct, { seed })).toEqual([]);
    }
  });
});

const BY_WEIGHT = [
  'weights',
  'weights-in-flight',
  'weights-through-rebuilds',
  'many-weights',
  'extreme-shares',
];

describe('a broken policy is rejected: it', () => {
  it.each<[string, () => Policy, readonly string[]]>([
    [
      'ignores exclusions',
      () => ({
        name: 'planted',
        build: (candidates, { rng }) => ({ pick: () => byWeight(candidates, rng) }),
      }),
      [
        'ambient',
        'extreme-weights',
        'finds-what-is-left',
        'input-untouched',
        'never-excluded',
        'none-left',
        'same-seed',
      ],
    ],
    [
      'gives up when its draw is excluded',
      () => ({
        name: 'planted',
        build: (candidates, { rng }) => ({
          pick: ({ excluded }) => {
            const drawn = byWeight(candidates, rng);
            return drawn === undefined || excluded.has(drawn.instance.id) ? undefined : drawn;
          },
        }),
      }),
      [
        'ambient',
        'extreme-weights',
        'finds-what-is-left',
        'input-untouched',
        'never-excluded',
        'same-seed',
      ],
    ],
    [
      'gives up after 100 draws',
      () => ({
        name: 'planted',
        build: (candidates, { rng }) => ({
          pick: ({ excluded }) => {
            for (let i = 0; i < 100; i++) {
              const drawn = byWeight(candidates, rng);
              if (drawn !== undefined && !excluded.has(drawn.instance.id)) return drawn;
            }
            return undefined;
          },
        }),
      }),
      ['extreme-weights', 'finds-what-is-left', 'never-excluded'],
    ],
    [
      'picks something although none is left',
      choosing((left, { excluded }, { rng }) =>
        left.length === 0 && excluded.size > 0
          ? ({ instance: { id: 'ghost' } } as Candidate)
          : byWeight(left, rng),
      ),
      ['never-excluded', 'none-left'],
    ],
    [
      'throws for an empty list',
      choosing((left, _context, { rng }) => {
        if (left.length === 0) throw new RangeError('empty');
        return byWeight(left, rng);
      }),
      ['never-excluded', 'none-left'],
    ],
    [
      'keeps its first list',
      () => {
        const inner = correct();
        return { ...inner, build: (list, env, previous) => previous ?? inner.build(list, env) };
      },
      ['ambient', 'draining', 'input-untouched', 'own-candidates', 'rebuild', 'same-seed'],
    ],
    [
      'keeps the first object of each id',
      () => {
        const inner = correct();
        const known = new Map<string, Candidate>();
        const first = (candidate: Candidate): Candidate => {
          const { id } = candidate.instance;
          if (!known.has(id)) known.set(id, candidate);
          return known.get(id) ?? candidate;
        };
        return { ...inner, build: (list, env) => inner.build(list.map(first), env) };
      },
      [
        'ambient',
        'first-pick-by-place',
        'first-pick-by-weight',
        'input-untouched',
        'own-candidates',
        'same-seed',
      ],
    ],
    [
      'starts at 0, in turn',
      turning((_n, _rng, before) => before ?? 0),
      [...BY_WEIGHT, 'first-pick-by-place', 'first-pick-by-weight', 'many', 'reorder'],
    ],
    [
      'restarts at 0 with each list',
      turning((n, rng, before) => (before === undefined ? anywhere(n, rng) : 0)),
      [...BY_WEIGHT, 'rebuild'],
    ],
    [
      'keeps its place as a number',
      turning((n, rng, before) => before ?? anywhere(n, rng)),
      [...BY_WEIGHT, 'reorder'],
    ],
    [
      'ignores weights',
      choosing((left, _context, { rng }) => left[anywhere(left.length, rng)]),
      [...BY_WEIGHT],
    ],
    [
      'never picks the last',
      choosing((left, _context, { rng }) =>
        byWeight(left.length > 1 ? left.slice(0, -1) : left, rng),
      ),
      [
        'equal-shares',
        'extreme-shares',
        'extreme-weights',
        'first-pick-by-place',
        'rebuild',
        'weights',
        'weights-in-flight',
        'weights-through-rebuilds',
      ],
    ],
    [
      'takes the first of ties',
      choosing((left) => leastOf(left, ({ state, instance }) => state.pending / instance.weight)),
      [
        'equal-shares',
        'extreme-shares',
        'extreme-weights',
        'first-pick-by-place',
        'first-pick-by-weight',
        'many',
        'many-weights',
        'rebuild',
        'weights',
      ],
    ],
    [
      'compares loads without weights',
      choosing((left, _context, { rng }) => leastOf(left, ({ state }) => state.pending, rng)),
      [...BY_WEIGHT],
    ],
    [
      'begins all its turns at the same phase (envoy#31378)',
      () => {
        const inner = weightedRoundRobin();
        const rng = { next: () => 0 };
        return {
          ...inner,
          build: (list, { clock }, previous) => inner.build(list, { clock, rng }, previous),
        };
      },
      ['first-pick-by-place', 'first-pick-by-weight', 'many'],
    ],
    [
      'forgets its turns with each list',
      () => {
        const inner = weightedRoundRobin();
        return { ...inner, build: (list, env) => inner.build(list, env) };
      },
      ['weights-through-rebuilds'],
    ],
    [
      'sums weights up beyond the largest double',
      choosing((left, _context, { rng }) => {
        let u = rng.next() * left.reduce((sum, { instance }) => sum + instance.weight, 0);
        return left.find(({ instance }) => (u -= instance.weight) < 0) ?? left.at(-1);
      }),
      ['extreme-shares', 'extreme-weights'],
    ],
    [
      'draws from Math.random',
      choosing((left) => byWeight(left, { next: () => Math.random() })),
      ['ambient', 'same-seed'],
    ],
    [
      'reads Date.now',
      choosing((left, _context, { rng }) => (Date.now() < 0 ? undefined : byWeight(left, rng))),
      ['ambient'],
    ],
    [
      'makes a new Date',
      choosing((left, _context, { rng }) =>
        new Date().getTime() < 0 ? undefined : byWeight(left, rng),
      ),
      ['ambient'],
    ],
    [
      'reads performance.now, and hides what that throws',
      choosing((left, _context, { rng }) => {
        try {
          performance.now();
        } catch {
          // Hidden.
        }
        return byWeight(left, rng);
      }),
      ['ambient'],
    ],
    [
      'sorts the list in place',
      () => {
        const inner = correct();
        const sort = (list: readonly Candidate[]): readonly Candidate[] =>
          (list as Candidate[]).sort((a, b) => b.instance.weight - a.instance.weight);
        return { ...inner, build: (list, env) => inner.build(sort(list), env) };
      },
      ['input-untouched'],
    ],
    [
      'writes to a record',
      choosing((left, _context, { rng }) => {
        const picked = byWeight(left, rng);
        if (picked) (picked.state as { ewmaMs: number }).ewmaMs = 1;
        return picked;
      }),
      ['input-untouched'],
    ],
  ])('%s', async (_what, make, ids) => {
    // What draws from the process must fail by the rule, not by chance.
    const rng = seededRng(99);
    vi.spyOn(Math, 'random').mockImplementation(() => rng.next());
    expect((await rejecting(make)).sort()).toEqual([...ids].sort());
  });
});

describe('a broken hashing policy is rejected: it', () => {
  it.each<[string, () => Policy, readonly string[]]>([
    [
      'does not heed the key',
      correct,
      ['hash-agrees', 'hash-join', 'hash-leave', 'hash-order', 'hash-second-choice', 'hash-sticks'],
    ],
    [
      'hashes the place in the list',
      hashingBy((key, { instance }, place) => -instance.weight / Math.log(hash(`${key}/${place}`))),
      ['hash-join', 'hash-leave', 'hash-order', 'hash-second-spread'],
    ],
    [
      'hashes the address',
      hashingBy((key, { instance }) => -instance.weight / Math.log(hash(`${key}/${instance.url}`))),
      ['hash-address'],
    ],
    [
      'ignores weights',
      hashingBy((key, { instance }) => hash(`${key}/${instance.id}`)),
      ['hash-weights'],
    ],
    [
      'takes the hash modulo n',
      choosing((left, { hashKey }, { rng }) => {
        if (hashKey === undefined) return byWeight(left, rng);
        const sorted = [...left].sort((a, b) => (a.instance.id < b.instance.id ? -1 : 1));
        return sorted[Math.floor(hash(hashKey) * 4_294_967_296) % sorted.length];
      }),
      ['hash-join', 'hash-leave', 'hash-weights'],
    ],
    [
      'hashes with a seed of its own',
      () => ({
        name: 'planted',
        build: (candidates, env) => {
          const salt = env.rng.next();
          const inner = hashingBy((key, candidate, place) =>
            bid(`${key}${salt}`, candidate, place),
          );
          return inner().build(candidates, env);
        },
      }),
      ['hash-agrees', 'hash-join', 'hash-leave', 'hash-sticks'],
    ],
    [
      'draws the second choice',
      choosing((left, { hashKey, excluded }, { rng }) =>
        hashKey === undefined || excluded.size > 0
          ? byWeight(left, rng)
          : highest(left, hashKey, bid),
      ),
      ['hash-second-choice'],
    ],
    [
      'takes the next in the list for second choice',
      () => ({
        name: 'planted',
        build: (candidates, { rng }) => ({
          pick: ({ hashKey, excluded }) => {
            const left = candidates.filter(({ instance }) => !excluded.has(instance.id));
            if (hashKey === undefined) return byWeight(left, rng);
            const sorted = [...candidates].sort((a, b) => (a.instance.id < b.instance.id ? -1 : 1));
            const first = highest(sorted, hashKey, bid);
            const from = first === undefined ? 0 : sorted.indexOf(first);
            return [...sorted.slice(from), ...sorted.slice(0, from)].find((candidate) =>
              left.includes(candidate),
            );
          },
        }),
      }),
      ['hash-second-spread'],
    ],
    [
      'keeps every key where it once was',
      () => {
        const homes = new Map<string, string>();
        return choosing((left, { hashKey, excluded }, { rng }) => {
          if (hashKey === undefined) return byWeight(left, rng);
          const home = left.find(({ instance }) => instance.id === homes.get(hashKey));
          const picked = home ?? highest(left, hashKey, bid);
          if (picked && excluded.size === 0) homes.set(hashKey, picked.instance.id);
          return picked;
        })();
      },
      ['hash-join-share'],
    ],
  ])('%s', async (_what, make, ids) => {
    expect((await rejecting(make, { hashes: true })).sort()).toEqual([...ids].sort());
  });
});

describe('a deviation', () => {
  const uniform = choosing((left, _context, { rng }) => left[anywhere(left.length, rng)]);
  const reason = 'all instances are alike here';
  const deviations = Object.fromEntries(BY_WEIGHT.map((id) => [id, reason]));

  it('that is listed with its reason is no failure', async () => {
    expect(await rejecting(uniform, { deviations })).toEqual([]);
  });

  it('stands in the name of its case, and beside it', () => {
    const cases = policySuite(uniform, { deviations: { weights: reason } });
    expect(cases.find(({ id }) => id === 'weights')).toMatchObject({
      name: `gives shares by weight, one call at a time (deviates: ${reason})`,
      deviation: reason,
    });
    expect(cases.filter(({ deviation }) => deviation !== undefined)).toHaveLength(1);
  });

  it('that is none any more is a failure', async () => {
    const options = { deviations: { weights: reason } };
    expect(await rejecting(correct, options)).toEqual(['weights']);
    const { message } = await failureOf(correct, 'weights', options);
    expect(message).toContain('"weights" is listed as a deviation, but holds');
    expect(message).toContain(reason);
  });

  it('is no licence for a fault in makePolicy', async () => {
    const broken = (): Policy => {
      throw new TypeError('no such file');
    };
    const failure = await failureOf(broken, 'weights', { deviations: { weights: reason } });
    expect(failure).toBeInstanceOf(TypeError);
  });
});

describe('options', () => {
  it.each([
    ['deviations.weigths', { deviations: { weigths: 'typo' } }],
    ['deviations.hash-join', { deviations: { 'hash-join': 'does not run without hashes' } }],
    ['deviations.weights', { deviations: { weights: '' } }],
    ['policySuite.hashes', { hashes: 'yes' }],
    ['policySuite.seed', { seed: 0.5 }],
    ['policySuite.skip', { skip: ['weights'] }],
  ])('refuses %s', (option, options) => {
    const error = thrownBy(() => policySuite(correct, options as PolicySuiteOptions));
    expect(error).toMatchObject({ code: 'ERR_FAIRLEAD_INVALID_OPTION', option });
  });

  it('refuses what makes no policy', () => {
    expect(thrownBy(() => policySuite(correct() as never))).toMatchObject({ option: 'makePolicy' });
  });

  it('runs the hashing cases only where asked to', () => {
    const idsOf = (options?: PolicySuiteOptions): string[] =>
      policySuite(correct, options).map(({ id }) => id);
    expect(idsOf().filter((id) => id.startsWith('hash-'))).toEqual([]);
    expect(idsOf({ hashes: true }).filter((id) => id.startsWith('hash-')).length).toBeGreaterThan(
      5,
    );
    expect(new Set(idsOf({ hashes: true })).size).toBe(idsOf({ hashes: true }).length);
  });
});

describe('a failure tells', () => {
  it('expected and actual shares, seed, candidates and weights', async () => {
    const first = choosing((left) => left[0]);
    const { message } = await failureOf(first, 'weights', { seed: 7 });
    expect(message).toBe(
      'Policy "planted": expected c0 to get 10.0 % +- 1.4 % of 10000 picks one call at a time; ' +
        'got 100.0 % (c0: 10000, c1: 0, c2: 0, c3: 0).\n' +
        '(seed 11; candidates: c0 (weight 1), c1 (weight 2), c2 (weight 3), c3 (weight 4))',
    );
  });

  it('the call', async () => {
    const { message } = await failureOf(
      choosing(() => undefined),
      'finds-what-is-left',
    );
    expect(message).toMatch(/expected a candidate, as c\d is left; got undefined\.\n\(seed 1; /);
    const second = choosing((left, { excluded }) => (excluded.size > 0 ? undefined : left[0]));
    expect((await failureOf(second, 'finds-what-is-left')).message).toMatch(/excluded: c\d/);
  });

  it('what the policy threw', async () => {
    const failure = await failureOf(
      choosing(() => {
        throw new RangeError('out of it');
      }),
      'lone',
    );
    expect(failure.message).toContain(
      'expected that pick does not throw; got RangeError: out of it',
    );
    expect(failure.cause).toBeInstanceOf(RangeError);
  });

  it('what ambient time or chance was used', async () => {
    const ambient = choosing((left) => byWeight(left, { next: () => Math.random() }));
    const { message } = await failureOf(ambient, 'ambient');
    expect(message).toContain('take chance from env.rng');
    expect(message).toContain('a use of Math.random');
  });

  it('that the call was changed', async () => {
    const adding = choosing((left, { excluded }) => {
      (excluded as Set<string>).add('c0');
      return left[0];
    });
    expect((await failureOf(adding, 'lone')).message).toContain('the set of the excluded');
  });
});

it('puts time and chance back, whether a case held or not', async () => {
  const before = [Math.random, Date, Date.now, performance.now, process.hrtime];
  await failureOf(
    choosing(() => {
      throw new Error(String(Date.now()));
    }),
    'ambient',
  );
  expect([Math.random, Date, Date.now, performance.now, process.hrtime]).toEqual(before);
  expect(Object.hasOwn(performance, 'now')).toBe(false);
});
