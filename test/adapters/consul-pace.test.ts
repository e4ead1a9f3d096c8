import { describe, expect, it } from 'vitest';
import { pauseAfter } from '../../adapters/consul/pace.js';

describe('the pause after a refusal', () => {
  it.each([
    [0, 20_000],
    [0.5, 30_000],
    [0.999_999, 40_000],
  ])('with chance at %d is %d ms, however often it was refused', (chance, ms) => {
    for (const failures of [1, 2, 20]) {
      const pause = pauseAfter({ kind: 'permanent' }, failures, { next: () => chance });
      expect(Math.round(pause.ms)).toBe(ms);
      expect(pause.atLeastMs).toBe(1_000);
    }
  });
});
