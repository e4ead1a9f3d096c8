import { expect, it } from 'vitest';
import { draining } from '../../src/stages/draining.js';
import { whole } from '../../src/stages/part.js';
import { weighted } from '../support/candidates.js';

const context = { nowMs: 0, expireAt: () => undefined, panic: () => undefined };

it('drops instances of weight 0 and keeps the order', () => {
  const [part] = draining.apply(whole(weighted(1, 0, 2, 0)), context);
  expect(part?.candidates.map(({ instance }) => instance.id)).toEqual(['c0', 'c2']);
  expect(part?.eligible).toEqual(part?.candidates);
});

it('hands the very list on when nothing drains', () => {
  const part = whole(weighted(1, 2));
  expect(draining.apply(part, context)).toEqual([part]);
});

it('leaves nothing when all drain', () => {
  expect(draining.apply(whole(weighted(0, 0)), context)[0]?.candidates).toEqual([]);
});
