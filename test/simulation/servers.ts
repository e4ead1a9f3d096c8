/** Servers for simulations, and what to make of a run. */
import type { Rng } from '../../src/types.js';
import type { Sent, Server } from './simulate.js';

/** A sum of twelve uniform numbers is close to normal, with variance 1. */
function normalMs(rng: Rng, meanMs: number, deviationMs: number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += rng.next();
  return Math.max(0.1, meanMs + deviationMs * sum);
}

export function exponentialMs(rng: Rng, meanMs: number): number {
  return -Math.log(1 - rng.next()) * meanMs;
}

/** `n` servers that answer in about 50 ms. */
export function good(n: number, name = 'good'): Server[] {
  return Array.from({ length: n }, (_, i) => ({
    id: `${name}${String(i)}`,
    serve: (_nowMs, rng) => ({ ms: normalMs(rng, 50, 5) }),
  }));
}

/** Share of the calls between these times that went to the servers whose name begins so. */
export function shareOf(sent: readonly Sent[], name: string, fromMs = 0, toMs = Infinity): number {
  const within = sent.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
  return within.filter(({ to }) => to.startsWith(name)).length / within.length;
}

/** The latency that this share of the calls stayed under. */
export function percentileMs(sent: readonly Sent[], ratio: number): number {
  const sorted = sent.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * ratio)] ?? NaN;
}
