import { BUCKET_MS, type Buckets, bucketOf } from './buckets.js';

/** What went to one backend. */
export interface BackendTraffic {
  /** Requests that came to it. */
  readonly arrivals: Buckets;
  /** Attempts of the client at it, refused ones too; `undefined` where the client lets nobody see them. */
  readonly attempts: Buckets | undefined;
}

/** By backend. */
export type Traffic = readonly BackendTraffic[];

/** A backend is back when it had half of an even share over so many buckets. */
const BACK_OVER = 5;
const HALF = 0.5;

/** The share of each backend in what went out between two moments of the wall clock. */
export function sharesOf(traffic: Traffic, fromMs: number, toMs: number): number[] {
  return sharesIn(traffic, bucketOf(fromMs) + 1, bucketOf(toMs));
}

/**
 * Seconds from the beginning of the fault until the backend was out of rotation: to the end of the last 100 ms of the fault in
 * which it got half of an even share or more. 0 where it never did.
 */
export function outSeconds(
  traffic: Traffic,
  backend: number,
  evenShare: number,
  [faultFromMs, faultToMs]: readonly [number, number],
): number {
  // By buckets that begin with the fault: it begins within one of the wall clock.
  for (let to = bucketOf(faultToMs); to > bucketOf(faultFromMs); to--) {
    const share = sharesIn(traffic, to - 1, to)[backend] ?? 0;
    if (share >= HALF * evenShare) {
      return Math.max(0, (to * BUCKET_MS - faultFromMs) / 1_000);
    }
  }
  return 0;
}

/**
 * Seconds from the end of the fault until the backend was back: to the end of the first half second in which it got at least
 * half of an even share. `undefined` where it was not before `endMs`.
 */
export function backSeconds(
  traffic: Traffic,
  backend: number,
  evenShare: number,
  [faultToMs, endMs]: readonly [number, number],
): number | undefined {
  for (let to = bucketOf(faultToMs) + 1 + BACK_OVER; to <= bucketOf(endMs); to++) {
    const share = sharesIn(traffic, to - BACK_OVER, to)[backend] ?? 0;
    if (share >= HALF * evenShare) return (to * BUCKET_MS - faultToMs) / 1_000;
  }
  return undefined;
}

function sharesIn(traffic: Traffic, from: number, to: number): number[] {
  const counts = traffic.map(({ attempts, arrivals }) => (attempts ?? arrivals).sum(from, to));
  const all = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (all === 0 ? 0 : count / all));
}
