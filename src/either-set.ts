/**
 * What is in one of two sets, without making a third: the second may have thousands of members. What is in both counts
 * twice in `size`.
 */
export class EitherSet<T> implements ReadonlySet<T> {
  constructor(
    private readonly first: ReadonlySet<T>,
    private readonly second: ReadonlySet<T>,
  ) {}

  get size(): number {
    return this.first.size + this.second.size;
  }

  has(value: T): boolean {
    return this.first.has(value) || this.second.has(value);
  }

  *values(): SetIterator<T> {
    yield* this.first;
    for (const value of this.second) if (!this.first.has(value)) yield value;
  }

  keys(): SetIterator<T> {
    return this.values();
  }

  *entries(): SetIterator<[T, T]> {
    for (const value of this.values()) yield [value, value];
  }

  [Symbol.iterator](): SetIterator<T> {
    return this.values();
  }

  forEach(fn: (value: T, key: T, set: ReadonlySet<T>) => void): void {
    for (const value of this.values()) fn(value, value, this);
  }
}
