import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roundRobin } from '../../src/policies/round-robin.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import { context, countById, picks, weighted } from '../support/candidates.js';
import { fixedRng } from '../support/fixtures.js';

const env = (rng = fixedRng(0)) => ({ clock: new ManualClock(), rng });

describe('round-robin', () => {
  it('takes the candidates in turn, weights aside', () => {
    const picker = roundRobin().build(weighted(1, 5, 2), env());
    expect(picks(picker, 7)).toEqual(['c0', 'c1', 'c2', 'c0', 'c1', 'c2', 'c0']);
  });

  it('starts at a random place', () => {
    const starts = [0, 0.3, 0.5, 0.99].map(
      (u) => picks(roundRobin().build(weighted(1, 1, 1, 1), env(fixedRng(u))), 1)[0],
    );
    expect(starts).toEqual(['c0', 'c1', 'c2', 'c3']);
  });

  it('takes those that are not excluded in turn', () => {
    const picker = roundRobin().build(weighted(1, 1, 1, 1), env());
    expect(picks(picker, 4, context(['c1']))).toEqual(['c0', 'c2', 'c3', 'c0']);
  });

  it('takes no turn away when a retry passes it over', () => {
    const picker = roundRobin().build(weighted(1, 1, 1), env());
    const firstAttempts: string[] = [];
    for (let i = 0; i < 6; i++) {
      firstAttempts.push(...picks(picker, 1));
      picks(picker, 1, context(['c0', 'c1']));
    }
    expect(firstAttempts).toEqual(['c0', 'c1', 'c2', 'c0', 'c1', 'c2']);
  });

  it('gives undefined only when every candidate is excluded', () => {
    const picker = roundRobin().build(weighted(1, 1), env());
    expect(picker.pick(context(['c0', 'c1']))).toBeUndefined();
    expect(picks(picker, 1)).toEqual(['c0']);
    expect(roundRobin().build([], env()).pick(context())).toBeUndefined();
  });

  it('keeps its place when the list changes', () => {
    const [c0, c1, c2, c3] = weighted(1, 1, 1, 1);
    if (!c0 || !c1 || !c2 || !c3) throw new Error('four candidates');
    const before = roundRobin().build([c0, c1, c2], env(fixedRng(0)));
    picks(before, 1); // c1 is next
    const added = roundRobin().build([c0, c1, c2, c3], env(fixedRng(0)), before);
    expect(picks(added, 2)).toEqual(['c1', 'c2']);
    const removed = roundRobin().build([c0, c2], env(fixedRng(0)), added); // c3 was next
    expect(picks(removed, 2)).toEqual(['c0', 'c2']);
  });

  it('starts at random again when none of the old candidates is left', () => {
    const before = roundRobin().build(weighted(1, 1), env());
    const others = weighted(1, 1, 1, 1).slice(2);
    expect(picks(roundRobin().build(others, env(fixedRng(0.9)), before), 1)).toEqual(['c3']);
  });

  it('starts at random after the picker of another policy', () => {
    const foreign = { pick: () => undefined };
    expect(picks(roundRobin().build(weighted(1, 1), env(fixedRng(0.9)), foreign), 1)).toEqual([
      'c1',
    ]);
  });

  it('gives each its exact share over every whole number of rounds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(),
        (n, rounds, seed) => {
          const list = weighted(...Array<number>(n).fill(1));
          const picker = roundRobin().build(list, env(seededRng(seed)));
          const counts = countById(picks(picker, n * rounds));
          for (const { instance } of list) expect(counts[instance.id]).toBe(rounds);
        },
      ),
      { seed: 3 },
    );
  });
});
