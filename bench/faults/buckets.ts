/** Width of a bucket, in ms of the wall clock. */
export const BUCKET_MS = 100;

export function bucketOf(atMs: number): number {
  return Math.floor(atMs / BUCKET_MS);
}

/** How many of something there were in each 100 ms. */
export class Buckets {
  readonly #counts = new Map<number, number>();

  add(bucket: number, count = 1): void {
    this.#counts.set(bucket, this.at(bucket) + count);
  }

  at(bucket: number): number {
    return this.#counts.get(bucket) ?? 0;
  }

  /** From one bucket up to another, that one not included. */
  sum(from: number, to: number): number {
    let sum = 0;
    for (let bucket = from; bucket < to; bucket++) sum += this.at(bucket);
    return sum;
  }
}
