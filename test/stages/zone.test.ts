import { afterEach, describe, expect, it, vi } from 'vitest';
import { toInstance } from '../../src/discovery.js';
import { whole } from '../../src/stages/part.js';
import { zone } from '../../src/stages/zone.js';
import { settle } from '../../src/testing/manual-clock.js';
import { memoryAdapter } from '../../src/testing/memory-adapter.js';
import type { ResolvedZone, StagesOptions, ZoneSource } from '../../src/topology-options.js';
import type { Candidate, InstanceSpec, Part } from '../../src/types.js';
import { candidate } from '../support/candidates.js';
import { reset } from '../support/errors.js';
import { clientOver } from '../support/fixtures.js';
import { deferred } from '../support/promises.js';
import { shareTolerance } from '../support/statistics.js';

const context = { nowMs: 0, expireAt: () => undefined, panic: () => undefined };

const DEFAULTS: ResolvedZone = {
  local: 'x',
  minInstances: 6,
  probeRatio: 0.03,
  callers: undefined,
};

/** One candidate for each letter, in the zone of that name; `-` is in none. */
function placed(zones: string, weight = 1): Candidate[] {
  return [...zones].map((name, i) => {
    const id = `${name}${i}`;
    const locality = name === '-' ? {} : { zone: name };
    const spec = { id, host: 'localhost', port: 80, weight, locality };
    return { ...candidate(id, weight), instance: toInstance(spec, id) };
  });
}

function divided(part: Part, settings: Partial<ResolvedZone> = {}): readonly Part[] {
  return zone({ ...DEFAULTS, ...settings }, () => 'x').apply(part, context);
}

const rounded = (ratio: number): number => Number(ratio.toFixed(12));

/** Names and ratios of the parts, in order. */
function ratios(parts: readonly Part[]): [string, number][] {
  return parts.map(({ name, ratio }) => [name, rounded(ratio)]);
}

it('leaves a trial undivided, with what it is', () => {
  const candidates = Array.from({ length: 8 }, (_, i) => candidate(`c${i}`));
  const part = { ...whole(candidates), trial: true };
  const settings = { local: 'a', minInstances: 1, probeRatio: 0.03, callers: undefined };
  const context = { nowMs: 0, expireAt: () => undefined, panic: () => undefined };
  expect(zone(settings, () => 'a').apply(part, context)).toEqual([part]);
});

describe('nothing is divided', () => {
  it.each<[string, string, Partial<ResolvedZone>, string | undefined]>([
    ['while the local zone is unknown', 'xxyyzz', {}, undefined],
    ['below minInstances', 'xxyyz', {}, 'x'],
    ['below a minInstances of its own', 'xxyyzz', { minInstances: 7 }, 'x'],
    ['when no candidate is local', 'wwyyzz', {}, 'x'],
    ['in one zone', 'xxxxxx', {}, 'x'],
    ['where no instance names its zone', '------', {}, 'x'],
  ])('%s', (_what, zones, settings, local) => {
    const part = whole(placed(zones));
    const parts = zone({ ...DEFAULTS, ...settings }, () => local).apply(part, context);
    expect(parts).toHaveLength(1);
    expect(parts[0]).toBe(part);
  });

  it('when all local instances are out', () => {
    const eligible = placed('xxyyzz');
    const part = { ...whole(eligible), candidates: eligible.slice(2) };
    expect(divided(part)[0]).toBe(part);
  });

  it('on account of instances that are out: eligible ones are counted', () => {
    const eligible = placed('xxyyzz');
    const part = { ...whole(eligible), candidates: eligible.slice(1, 4) };
    expect(divided(part)).toHaveLength(2);
  });
});

describe('without knowledge of the callers', () => {
  it('all calls but the probes are local where the zones are alike', () => {
    expect(ratios(divided(whole(placed('yyxxzz'))))).toEqual([
      ['zone x', 0.97],
      ['zone y', 0.015],
      ['zone z', 0.015],
    ]);
  });

  it.each([
    // Of two zones each is expected to have half of the capacity, and 1 / 1.4 of that is 5 of 14.
    [5, 9, 0.97],
    [5, 10, (1.4 * 2) / 3],
    [1, 9, 0.28],
  ])('%s local instances beside %s others take %s of the calls', (near, far, share) => {
    const parts = divided(whole(placed('x'.repeat(near) + 'y'.repeat(far))));
    expect(ratios(parts)).toEqual([
      ['zone x', rounded(share)],
      ['zone y', rounded(1 - share)],
    ]);
  });

  it('probes go by what is available, and the spill by residual capacity', () => {
    // U = 2/9, 4/9, 3/9 and L = 1/3 each: 14/15 stay, and y alone has residual capacity.
    const spill = 1 - 14 / 15 - 0.03;
    expect(ratios(divided(whole(placed('xxyyyyzzz'))))).toEqual([
      ['zone x', rounded(14 / 15)],
      ['zone y', rounded(spill + (0.03 * 4) / 7)],
      ['zone z', rounded((0.03 * 3) / 7)],
    ]);
  });

  it('a zone of which nothing is left still has its callers', () => {
    const eligible = placed('xxyyyyyyzz');
    const part = { ...whole(eligible), candidates: eligible.slice(0, 8) };
    // U = 1/4 of what is left, L = 1/3; were z forgotten, L would be 1/2 and 0.7 stay.
    expect(ratios(divided(part))).toEqual([
      ['zone x', 0.97],
      ['zone y', 0.03],
    ]);
  });

  it('the local zone loses calls as it loses instances', () => {
    const eligible = placed('xxxxyyyyzzzz');
    const local = [4, 3, 2, 1].map((left) => {
      const part = { ...whole(eligible), candidates: eligible.slice(4 - left) };
      return rounded(divided(part)[0]?.ratio ?? 0);
    });
    expect(local).toEqual([0.97, 0.97, 0.84, rounded((1.4 * 3) / 9)]);
  });

  it('weight counts, not the number of instances', () => {
    const parts = divided(whole([...placed('xx', 5), ...placed('yyyy', 2.5)]));
    expect(ratios(parts)).toEqual([
      ['zone x', 0.97],
      ['zone y', 0.03],
    ]);
    const heavy = divided(whole([...placed('xx', 1), ...placed('yyyy', 2)]));
    expect(rounded(heavy[0]?.ratio ?? 0)).toBe(rounded(1.4 * 0.4));
  });
});

describe('with the callers known', () => {
  it('the local zone takes U / L, and no more', () => {
    const parts = divided(whole(placed('xxyyyy')), { callers: { x: 30, y: 30 } });
    expect(ratios(parts)).toEqual([
      ['zone x', rounded(2 / 3)],
      ['zone y', rounded(1 / 3)],
    ]);
  });

  it('zones whose callers need all they have get probes only', () => {
    // U = .4, .3, .3 and L = .5, .2, .3: of the 0.2 to leave, all but the probes go to y.
    const parts = divided(whole(placed('xxxxyyyzzz')), { callers: { x: 5, y: 2, z: 3 } });
    expect(ratios(parts)).toEqual([
      ['zone x', 0.8],
      ['zone y', 0.185],
      ['zone z', 0.015],
    ]);
  });

  it('zones that are not named have none', () => {
    const parts = divided(whole(placed('xxyyzz')), { callers: { y: 1 } });
    expect(ratios(parts)[0]).toEqual(['zone x', 0.97]);
    const named = divided(whole(placed('xxxyy--')), { callers: { x: 4, y: 2 } });
    // U = 3/7 of L = 2/3: 9/14 stay. y has no residual capacity (2/7 of 1/3), those without a zone have 2/7.
    expect(ratios(named)).toEqual([
      ['zone x', rounded(9 / 14)],
      ['no zone', rounded(0.015 + 5 / 14 - 0.03)],
      ['zone y', 0.015],
    ]);
  });

  it('names that every object inherits are no zones', () => {
    const named = placed('xxxxyy').map(({ state, instance }) => ({
      state,
      instance: {
        ...instance,
        locality: { zone: `${instance.locality.zone}`.replace('y', 'constructor') },
      },
    }));
    const parts = divided(whole(named), { callers: { x: 1 } });
    expect(ratios(parts)).toEqual([
      ['zone x', rounded(2 / 3)],
      ['zone constructor', rounded(1 / 3)],
    ]);
  });
});

describe('probes', () => {
  it('are none where no other zone has candidates', () => {
    const eligible = placed('xxxyyy');
    const parts = divided({ ...whole(eligible), candidates: eligible.slice(0, 3) });
    expect(ratios(parts)).toEqual([['zone x', 1]]);
  });

  it('are at least their share, not on top of a spill', () => {
    const parts = divided(whole(placed('xyyyyyyyyy')), { probeRatio: 0.5 });
    expect(ratios(parts)).toEqual([
      ['zone x', 0.28],
      ['zone y', 0.72],
    ]);
  });

  it('at 0 leave the other zones in reserve', () => {
    expect(ratios(divided(whole(placed('zzyyxx')), { probeRatio: 0 }))).toEqual([
      ['zone x', 1],
      ['zone y', 0],
      ['zone z', 0],
    ]);
  });

  it('at 1 leave the local zone in reserve', () => {
    expect(ratios(divided(whole(placed('xxyyyz')), { probeRatio: 1 }))).toEqual([
      ['zone x', 0],
      ['zone y', 0.75],
      ['zone z', 0.25],
    ]);
  });
});

describe('the parts', () => {
  it('hold what is eligible and what may be picked of their zone', () => {
    const eligible = placed('xyxy-y');
    const part = { ...whole(eligible), candidates: eligible.slice(1) };
    const parts = divided(part);
    expect(parts.map(({ name }) => name)).toEqual(['zone x', 'zone y', 'no zone']);
    expect(parts.map((one) => one.eligible.map(({ instance }) => instance.id))).toEqual([
      ['x0', 'x2'],
      ['y1', 'y3', 'y5'],
      ['-4'],
    ]);
    expect(parts[0]?.candidates.map(({ instance }) => instance.id)).toEqual(['x2']);
  });

  it('divide the ratio of theirs, and carry its name', () => {
    const parts = divided({ ...whole(placed('xxyyzz')), name: 'priority 1', ratio: 0.5 });
    expect(ratios(parts)).toEqual([
      ['priority 1, zone x', 0.485],
      ['priority 1, zone y', 0.0075],
      ['priority 1, zone z', 0.0075],
    ]);
  });

  it('of a reserve are reserves, the local one first and then the largest', () => {
    const parts = divided({ ...whole(placed('yzzzxx')), ratio: 0 });
    expect(ratios(parts)).toEqual([
      ['zone x', 0],
      ['zone z', 0],
      ['zone y', 0],
    ]);
  });
});

/** Instances named after their zones: `{ x: 2 }` is `x0` and `x1`. */
function inZones(counts: Readonly<Record<string, number>>): InstanceSpec[] {
  return Object.entries(counts).flatMap(([name, count]) =>
    Array.from({ length: count }, (_, i) => ({
      id: `${name}${i}`,
      host: `${name}${i}`,
      port: 80,
      locality: { zone: name },
    })),
  );
}

async function clientIn(
  counts: Readonly<Record<string, number>>,
  zoneOption: StagesOptions['zone'],
) {
  const source = memoryAdapter(inZones(counts));
  const made = clientOver(source, { policy: 'random', stages: { zone: zoneOption } });
  await settle();
  return { ...made, source };
}

describe('a client', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('divides its calls as its explanation says', async () => {
    const { client } = await clientIn({ y: 4, x: 2, z: 3 }, { local: 'x' });
    const { parts, stages } = client.explain();
    expect(parts.map(({ name, candidates }) => [name, candidates])).toEqual([
      ['zone x', 2],
      ['zone y', 4],
      ['zone z', 3],
    ]);
    expect(stages).toContainEqual({ name: 'zone', left: 9 });
    const shares = [14 / 15, 1 / 15 - 0.03 + 0.12 / 7, 0.09 / 7];
    parts.forEach(({ ratio }, i) => expect(ratio).toBeCloseTo(shares[i] ?? 0, 12));

    const draws = 10_000;
    const counts = new Map<string, number>();
    for (let i = 0; i < draws; i++) {
      const lease = client.pick();
      const name = lease.instance.locality.zone ?? '';
      counts.set(name, (counts.get(name) ?? 0) + 1);
      lease.end('success');
    }
    ['x', 'y', 'z'].forEach((name, i) => {
      const share = shares[i] ?? 0;
      // Each pick is a draw of its own: the count of a zone is binomial.
      expect(Math.abs((counts.get(name) ?? 0) / draws - share)).toBeLessThan(
        shareTolerance(share, draws),
      );
    });
    await client.close();
  });

  it('finds its zone in the environment', async () => {
    vi.stubEnv('FAIRLEAD_ZONE', 'y');
    const { client } = await clientIn({ x: 3, y: 3 }, true);
    expect(client.snapshot().zone).toBe('y');
    expect(client.explain().parts).toEqual([
      { name: 'zone y', ratio: 0.97, candidates: 3 },
      { name: 'zone x', ratio: expect.closeTo(0.03, 12) as number, candidates: 3 },
    ]);
    await client.close();
  });

  it('refuses to guess its zone where nothing names it', async () => {
    vi.stubEnv('FAIRLEAD_ZONE', undefined);
    await expect(clientIn({ x: 3, y: 3 }, true)).rejects.toMatchObject({
      code: 'ERR_FAIRLEAD_INVALID_OPTION',
      option: 'stages.zone.local',
    });
  });

  it('divides nothing until its zone is found, and then at once', async () => {
    const asked = deferred<string>();
    const { client, clock } = await clientIn({ x: 3, y: 3 }, { local: () => asked.promise });
    expect(client.explain().parts).toHaveLength(1);
    expect(client.snapshot().zone).toBeUndefined();
    asked.resolve('x');
    await settle();
    expect(client.explain().parts.map(({ name }) => name)).toEqual(['zone x', 'zone y']);
    expect(client.snapshot().zone).toBe('x');
    await client.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('tells why its zone could not be found', async () => {
    const source: ZoneSource = () => Promise.reject(new Error('no route'));
    const { client, clock } = clientOver(memoryAdapter(inZones({ x: 3, y: 3 })), {
      stages: { zone: { local: source } },
    });
    const faults: string[] = [];
    client.on('discovery.fault', ({ adapter, message }) => faults.push(`${adapter}: ${message}`));
    await settle();
    expect(faults).toEqual(["zone: The caller's zone could not be found: no route"]);
    await client.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('goes to another zone once it has tried all of its own', async () => {
    const { client, clock } = clientOver(memoryAdapter(inZones({ x: 2, y: 4 })), {
      stages: { zone: { local: 'x', probeRatio: 0, callers: { x: 1, y: 2 } } },
      retry: { maxAttempts: 3 },
    });
    await settle();
    expect(client.explain().parts.map(({ ratio }) => ratio)).toEqual([1, 0]);
    const tried: string[] = [];
    const done = client.call(
      ({ instance }) => {
        tried.push(instance.locality.zone ?? '');
        if (tried.length < 3) throw reset();
      },
      { idempotent: true },
    );
    await clock.advance(1_000);
    await done;
    expect(tried).toEqual(['x', 'x', 'y']);
    await client.close();
  });
});
