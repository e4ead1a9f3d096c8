/** Promises that were broken, by name: how often, and what was seen first. */
export class Violations {
  readonly #seen = new Map<string, { count: number; readonly first: string }>();

  add(name: string, what: string): void {
    const seen = this.#seen.get(name);
    if (seen === undefined) this.#seen.set(name, { count: 1, first: what });
    else seen.count++;
  }

  get size(): number {
    return this.#seen.size;
  }

  /** A line each. */
  lines(): string[] {
    return [...this.#seen].map(
      ([name, { count, first }]) => `${name}: ${String(count)} time(s), first ${first}`,
    );
  }
}
