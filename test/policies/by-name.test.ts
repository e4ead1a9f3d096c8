import { expect, it } from 'vitest';
import type { PolicyName } from '../../src/options.js';
import { resolvePolicy } from '../../src/policies/by-name.js';
import { leastRequest } from '../../src/policies/least-request.js';
import { roundRobin } from '../../src/policies/round-robin.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { Policy } from '../../src/types.js';
import { candidate, countById, picks, weighted } from '../support/candidates.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';
import { shareTolerance } from '../support/statistics.js';

it.each([
  ['round-robin', 'round-robin', undefined],
  ['weighted-round-robin', 'weighted-round-robin', undefined],
  ['random', 'random', undefined],
  ['p2c', 'p2c', 'leastRequest'],
  ['peak-ewma', 'peak-ewma', 'peakEwma'],
  ['least-request', 'least-request', 'leastRequest'],
  ['adaptive', 'adaptive', 'adaptive'],
  ['server-weighted', 'server-weighted', undefined],
  ['rendezvous', 'rendezvous', undefined],
  ['ring-hash', 'ring-hash', undefined],
  ['maglev', 'maglev', undefined],
  ['sticky', 'sticky', undefined],
])('%s is the policy %s with load %s', (given, name, load) => {
  const policy = resolvePolicy(given as PolicyName);
  expect(policy.name).toBe(name);
  expect(policy.load?.name).toBe(load);
});

it.each([
  ['round-robin', 2],
  ['weighted-round-robin', 3],
] as const)('%s gives weight 3 beside weight 1 %s turns of 4', (name, turns) => {
  const env = { clock: new ManualClock(), rng: seededRng(1) };
  const picker = resolvePolicy(name).build(weighted(3, 1), env);
  expect(countById(picks(picker, 4))['c0']).toBe(turns);
});

it.each(['p2c', 'peak-ewma', 'least-request'] as const)('%s compares two', (name) => {
  const list = [0, 1, 2, 3].map((pending) =>
    candidate(`c${String(pending)}`, 1, { pending, measured: 1, ewmaMs: 1 }),
  );
  const env = { clock: new ManualClock(), rng: seededRng(2) };
  const draws = 20_000;
  const counts = countById(picks(resolvePolicy(name).build(list, env), draws));
  expect(Math.abs((counts['c0'] ?? 0) / draws - 0.5)).toBeLessThan(shareTolerance(0.5, draws));
});

it("takes the user's own policy as it is", () => {
  const own = roundRobin();
  expect(resolvePolicy(own)).toBe(own);
});

it.each(['', 'fastest', 'toString', '__proto__', null, undefined, 5, []])(
  'refuses %j',
  (policy) => {
    expectInvalidOption(
      thrownBy(() => resolvePolicy(policy as unknown as Policy)),
      'policy',
      policy,
    );
  },
);

it('tells one who hands in a load where it belongs', () => {
  const error = thrownBy(() => resolvePolicy(leastRequest() as unknown as Policy));
  expect(error).toMatchObject({ code: 'ERR_FAIRLEAD_INVALID_OPTION', option: 'policy' });
  expect((error as Error).message).toContain('not a Load');
});

it.each([
  ['policy.name', { build: () => ({ pick: () => undefined }) }, undefined],
  ['policy.build', { name: 'x', build: 5 }, 5],
])('refuses a policy with a bad %s', (option, policy, value) => {
  expectInvalidOption(
    thrownBy(() => resolvePolicy(policy as unknown as Policy)),
    option,
    value,
  );
});
