import fc from 'fast-check';
import { expect, it } from 'vitest';
import { whole } from '../../src/stages/part.js';
import { subset } from '../../src/stages/subset.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { ResolvedSubset } from '../../src/topology-options.js';
import { candidate } from '../support/candidates.js';

const context = { nowMs: 0, expireAt: () => undefined, panic: () => undefined };

function chosen(ids: readonly string[], settings: ResolvedSubset): string[] {
  const part = whole(ids.map((id) => candidate(id)));
  const [kept] = subset(settings, seededRng(1)).apply(part, context);
  return kept?.candidates.map(({ instance }) => instance.id) ?? [];
}

const ids = (minLength: number): fc.Arbitrary<string[]> =>
  fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength, maxLength: 40 });

it('by seed, one that joins or leaves moves at most one other, and never without need', () => {
  fc.assert(
    fc.property(ids(2), fc.integer({ min: 1, max: 45 }), fc.string(), (list, size, seed) => {
      const [guest = '', ...rest] = list;
      const without = chosen(rest, { size, seed });
      const withGuest = chosen(list, { size, seed });
      expect(without).toHaveLength(Math.min(size, rest.length));
      expect(withGuest).toHaveLength(Math.min(size, list.length));

      const joined = withGuest.filter((id) => !without.includes(id));
      const left = without.filter((id) => !withGuest.includes(id));
      expect(joined).toEqual(withGuest.includes(guest) ? [guest] : []);
      const isFull = rest.length >= size;
      expect(left).toHaveLength(isFull ? joined.length : 0);
    }),
    { numRuns: 300 },
  );
});

it('by index, all instances have evenly many clients', () => {
  fc.assert(
    fc.property(
      ids(1),
      fc.integer({ min: 1, max: 45 }),
      fc.integer({ min: 1, max: 60 }),
      (list, size, total) => {
        const clients = new Map(list.map((id) => [id, 0]));
        for (let index = 0; index < total; index++) {
          const mine = chosen(list, { size, index, total });
          expect(new Set(mine).size).toBe(Math.min(size, list.length));
          for (const id of mine) clients.set(id, (clients.get(id) ?? 0) + 1);
        }
        const mean = (total * Math.min(size, list.length)) / list.length;
        for (const count of clients.values()) {
          expect([Math.floor(mean), Math.ceil(mean)]).toContain(count);
        }
      },
    ),
    { numRuns: 300 },
  );
});
