/** What a watcher gave its callers, and when. */
export class ListRecord {
  readonly #spans: { readonly fromMs: number; readonly ids: readonly string[] | undefined }[] = [];

  /** @param ids of the instances that a caller would be given; `undefined` while nothing is known. */
  note(ids: readonly string[] | undefined, nowMs = performance.now()): void {
    const sorted = ids && [...ids].sort();
    if (this.#spans.length > 0 && same(this.#spans.at(-1)?.ids, sorted)) return;
    this.#spans.push({ fromMs: nowMs, ids: sorted });
  }

  /** What it is now. */
  get newest(): readonly string[] | undefined {
    return this.#spans.at(-1)?.ids;
  }

  is(ids: readonly string[]): boolean {
    return same(this.newest, [...ids].sort());
  }

  /** Since when the list has been this one, without a break; `undefined` when it is another. */
  sinceMs(ids: readonly string[]): number | undefined {
    return this.is(ids) ? this.#spans.at(-1)?.fromMs : undefined;
  }

  /** For how long in that time a list was known of which `holds` is true. */
  durationMs(fromMs: number, toMs: number, holds: (ids: readonly string[]) => boolean): number {
    let sum = 0;
    this.#spans.forEach(({ fromMs: beganMs, ids }, i) => {
      const endedMs = this.#spans[i + 1]?.fromMs ?? toMs;
      const overlapMs = Math.min(endedMs, toMs) - Math.max(beganMs, fromMs);
      if (ids !== undefined && overlapMs > 0 && holds(ids)) sum += overlapMs;
    });
    return sum;
  }
}

function same(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a?.join() === b?.join();
}
