import { expect, it } from 'vitest';
import { coresIn } from '../../bench/http/cores.js';

it.each([
  ['0', [0]],
  ['0-3', [0, 1, 2, 3]],
  ['0-1,4,6-7', [0, 1, 4, 6, 7]],
  ['', []],
])('reads %j as Linux means it', (list, cores) => {
  expect(coresIn(list)).toEqual(cores);
});
