import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EitherSet } from '../src/either-set.js';

it('holds what either holds, each once when walked through', () => {
  const numbers = fc.uniqueArray(fc.integer({ min: 0, max: 20 }));
  fc.assert(
    fc.property(numbers, numbers, (first, second) => {
      const either = new EitherSet(new Set(first), new Set(second));
      const union = new Set([...first, ...second]);
      for (let n = 0; n <= 20; n++) expect(either.has(n)).toBe(union.has(n));
      expect([...either]).toEqual([...union]);
      expect([...either.values()]).toEqual([...union]);
      expect([...either.keys()]).toEqual([...union]);
      expect([...either.entries()]).toEqual([...union.entries()]);
      const walked: number[] = [];
      either.forEach((value, key, set) => {
        expect([key, set]).toEqual([value, either]);
        walked.push(value);
      });
      expect(walked).toEqual([...union]);
      expect(either.size === 0).toBe(union.size === 0);
    }),
  );
});
