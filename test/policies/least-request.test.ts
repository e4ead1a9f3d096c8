import { expect, it } from 'vitest';
import { leastRequest } from '../../src/policies/least-request.js';
import { candidate } from '../support/candidates.js';

it.each([
  [0, 1, 1],
  [0, 8, 0.125],
  [3, 1, 4],
  [3, 2, 2],
  [1, 0.5, 4],
])('%s in flight at weight %s cost %s', (pending, weight, load) => {
  expect(leastRequest().of(candidate('a', weight, { pending }).state, 0)).toBe(load);
});

it('does not look at latency', () => {
  const slow = candidate('a', 1, { pending: 1, ewmaMs: 5_000, measured: 9 });
  expect(leastRequest().of(slow.state, 0)).toBe(2);
});
