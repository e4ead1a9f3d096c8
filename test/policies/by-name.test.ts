import { expect, it } from 'vitest';
import type { PolicyName } from '../../src/options.js';
import { resolvePolicy } from '../../src/policies/by-name.js';
import { roundRobin } from '../../src/policies/round-robin.js';
import type { Policy } from '../../src/types.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';

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
