import { expect, it } from 'vitest';
import { either, isLess } from '../../src/policies/either.js';

it.each([
  [1, 7, 3, 7],
  [0, 7, 3, 3],
  [1, 0, 2 ** 31 - 1, 0],
  [0, 0, 2 ** 31 - 1, 2 ** 31 - 1],
  [1, 5, 5, 5],
])('either(%s, %s, %s) is %s', (condition, yes, no, chosen) => {
  expect(either(condition, yes, no)).toBe(chosen);
});

it.each([
  [1, 2, 1],
  [2, 1, 0],
  [1, 1, 0],
  [-Infinity, Infinity, 1],
  [1, NaN, 1],
  [NaN, 1, 0],
  [Infinity, NaN, 1],
])('isLess(%s, %s) is %s: NaN is the greatest', (cost, than, less) => {
  expect(isLess(cost, than)).toBe(less);
});
