/** One balancer, or one way through it, that `bench/pick.bench.ts` measures. */
export interface Subject {
  readonly library: string;
  readonly name: string;
  /** Makes it ready to pick from a list of `n` instances. */
  prepare(n: number): Prepared | Promise<Prepared>;
}

export interface Prepared {
  /**
   * Picks that often in a loop of its own, so that V8 sees one call site per subject. The sum of the picked ports
   * keeps it from leaving the picks out.
   */
  readonly pick: (times: number) => number;
  /** ms that the balancer took to make, where `prepare` did more than that. */
  readonly buildMs?: number;
  /** Takes in a list that one instance has joined or left. */
  readonly update?: () => unknown;
}

/** Hands out the items in turn, for ever. */
export function cycle<T>(items: readonly [T, ...T[]]): () => T {
  let next = 0;
  return () => {
    const item = items[next] ?? items[0];
    next = next + 1 === items.length ? 0 : next + 1;
    return item;
  };
}

/** Keys for the balancers that hash: as many as moleculer's cache holds by default, so that it is at its best. */
export const HASH_KEYS: readonly [string, ...string[]] = [
  'user-0',
  ...Array.from({ length: 999 }, (_, i) => `user-${i + 1}`),
];
