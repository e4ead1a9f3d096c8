import { expect, it } from 'vitest';
import { draining } from '../../src/stages/draining.js';
import { weighted } from '../support/candidates.js';

const context = { nowMs: 0, expireAt: () => undefined, panic: () => undefined };

it('drops instances of weight 0 and keeps the order', () => {
  const left = draining.apply(weighted(1, 0, 2, 0), context);
  expect(left.map(({ instance }) => instance.id)).toEqual(['c0', 'c2']);
});

it('hands the very list on when nothing drains', () => {
  const list = weighted(1, 2);
  expect(draining.apply(list, context)).toBe(list);
});

it('leaves nothing when all drain', () => {
  expect(draining.apply(weighted(0, 0), context)).toEqual([]);
});
