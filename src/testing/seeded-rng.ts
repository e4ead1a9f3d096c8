import type { Rng } from '../types.js';

/**
 * A small, fast generator that repeats itself under the same seed: mulberry32 (Tommy Ettinger, public domain).
 *
 * @param seed any integer; taken modulo 2^32.
 */
export function seededRng(seed: number): Rng {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
    },
  };
}
