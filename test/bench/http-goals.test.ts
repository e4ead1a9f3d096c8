import { expect, it } from 'vitest';
import { goalsOf } from '../../bench/http/goals.js';
import type { Measured } from '../../bench/http/rounds.js';

const round = (requests: number): Measured => ({ requests, ms: 1_000, cpuMs: 1, backendsCpuMs: 1 });

it('holds medians of neighbouring rounds against the goals, of what was measured', () => {
  const bare = [100, 200, 400].map(round);
  const wrapped = [96, 180, 388].map(round); // 0.96, 0.9 and 0.97 of them
  const goals = goalsOf(
    new Map([
      [
        'axios',
        new Map([
          ['axios', bare],
          ['axios, wrapAxios', wrapped],
        ]),
      ],
    ]),
  );
  expect(goals).toEqual([
    { what: 'axios wrapped, over bare', goal: '>= 0.95x', measured: 0.96, met: true },
  ]);
});
