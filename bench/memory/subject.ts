/** What keeps a record per instance, as `bench/memory.bench.ts` measures it. */
export interface Subject {
  readonly name: string;
  /** Makes it over `n` instances, none of which was called. */
  prepare(input: readonly InstanceAddress[]): Prepared | Promise<Prepared>;
}

export interface InstanceAddress {
  readonly host: string;
  readonly port: number;
}

export interface Prepared {
  /** Calls each instance once, and it succeeds. */
  readonly callEach: () => unknown;
  /** Calls about `times` in all, of which one in fifty fails. Absent where a call needs a server. */
  readonly traffic?: (times: number) => unknown;
  readonly close: () => unknown;
}

export function addresses(n: number): InstanceAddress[] {
  return Array.from({ length: n }, (_, i) => ({ host: `10.0.${i >> 8}.${i & 255}`, port: 8080 }));
}

/** True for one call in fifty. */
export function fails(call: number): boolean {
  return call % 50 === 49;
}
