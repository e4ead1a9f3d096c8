import fc from 'fast-check';
import { expect, it } from 'vitest';
import { toInstance } from '../../src/discovery.js';
import { whole } from '../../src/stages/part.js';
import { zone } from '../../src/stages/zone.js';
import type { Candidate, Part } from '../../src/types.js';
import { candidate } from '../support/candidates.js';

const context = { nowMs: 0, expireAt: () => undefined, panic: () => undefined };
const NAMES = ['x', 'y', 'z', 'w'];

interface Place {
  readonly zone: string | undefined;
  readonly weight: number;
  readonly out: boolean;
}

function placed({ zone: name, weight }: Place, index: number): Candidate {
  const id = `c${index}`;
  const locality = { zone: name };
  const spec = { id, host: 'localhost', port: 80, weight, locality };
  return { ...candidate(id, weight), instance: toInstance(spec, id) };
}

function partOf(places: readonly Place[], ratio: number): Part {
  const eligible = places.map(placed);
  return { ...whole(eligible), ratio, candidates: eligible.filter((_, i) => !places[i]?.out) };
}

const sum = (parts: readonly Part[]): number =>
  parts.reduce((total, { ratio }) => total + ratio, 0);

const place = fc.record({
  zone: fc.constantFrom(...NAMES, undefined),
  weight: fc.oneof(
    fc.integer({ min: 1, max: 9 }),
    fc.constantFrom(5e-324, 1e-300, 0.1, 1e300, Number.MAX_VALUE),
  ),
  out: fc.boolean(),
});

it('the parts take all calls of theirs and all its candidates, the local zone first', () => {
  fc.assert(
    fc.property(
      fc.array(place, { minLength: 1, maxLength: 20 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.option(
        fc.dictionary(fc.constantFrom(...NAMES), fc.integer({ min: 1, max: 9 }), { minKeys: 1 }),
        {
          nil: undefined,
        },
      ),
      (places, ratio, probeRatio, callers) => {
        const part = partOf(places, ratio);
        const settings = { local: 'x', minInstances: 1, probeRatio, callers };
        const parts = zone(settings, () => 'x').apply(part, context);

        expect(sum(parts)).toBeCloseTo(ratio, 12);
        for (const one of parts) expect(one.ratio).toBeGreaterThanOrEqual(0);
        const found = parts.flatMap(({ candidates }) => candidates);
        expect(new Set(found)).toEqual(new Set(part.candidates));
        expect(found).toHaveLength(part.candidates.length);

        const [local, ...others] = parts;
        if (local === part) return;
        expect(local?.name).toBe('zone x');
        expect(others.map((other) => other.ratio)).toEqual(
          others.map((other) => other.ratio).sort((a, b) => b - a),
        );
        if (others.length > 0) expect(sum(others)).toBeGreaterThan(ratio * probeRatio - 1e-12);
      },
    ),
    { numRuns: 500 },
  );
});

it.each([0, 0.03, 0.2])(
  'clients that know their callers, all together, load every zone by its weight (probes %s)',
  (probeRatio) => {
    const zones = fc.array(
      fc.record({ weight: fc.integer({ min: 1, max: 9 }), callers: fc.nat(9) }),
      {
        minLength: 2,
        maxLength: NAMES.length,
      },
    );
    fc.assert(
      fc.property(zones, (given) => {
        const total = given.reduce((all, one) => all + one.callers, 0);
        fc.pre(total > 0);
        const callers = Object.fromEntries(given.map((one, i) => [NAMES[i], one.callers]));
        const part = partOf(
          given.map(({ weight }, i) => ({ zone: NAMES[i], weight, out: false })),
          1,
        );
        const loads = new Map<string, number>();
        given.forEach((one, i) => {
          const local = NAMES[i] ?? '';
          const stage = zone({ local, minInstances: 1, probeRatio, callers }, () => local);
          for (const { name, ratio } of stage.apply(part, context)) {
            loads.set(name, (loads.get(name) ?? 0) + (one.callers / total) * ratio);
          }
        });
        const weight = given.reduce((all, one) => all + one.weight, 0);
        given.forEach((one, i) => {
          // A probe goes where there may be no residual capacity: so far the load may be off, and no further.
          const off = Math.abs((loads.get(`zone ${NAMES[i]}`) ?? 0) - one.weight / weight);
          expect(off).toBeLessThanOrEqual(probeRatio + 1e-9);
        });
      }),
      { numRuns: 500 },
    );
  },
);
