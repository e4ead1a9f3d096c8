import { expect, it } from 'vitest';
import { UsualLatency } from '../../src/resilience/usual-latency.js';

it('is the mean of the answers, once there are ten', () => {
  const usual = new UsualLatency();
  for (let i = 1; i <= 9; i++) usual.record(i);
  expect(usual.ms).toBe(Infinity);
  usual.record(10);
  expect(usual.ms).toBeCloseTo(5.5, 9);
});

it('follows a change within a few hundred answers, and one slow answer little', () => {
  const usual = new UsualLatency();
  for (let i = 0; i < 200; i++) usual.record(10);
  usual.record(1_000);
  expect(usual.ms).toBeLessThan(20);
  for (let i = 0; i < 500; i++) usual.record(50);
  // What is left of the old mean after 500 steps of a hundredth: 0.99^500 = 0.0066 of a difference of some 40.
  expect(Math.abs(usual.ms - 50)).toBeLessThan(0.5);
});
