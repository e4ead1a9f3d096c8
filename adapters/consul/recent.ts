/** A watch that is begun again sooner than this goes on where the one before ended. */
const KEPT_MS = 60_000;

/**
 * What watches that ended just now knew. The core begins a watch anew to have a list confirmed: what was known of a
 * datacenter that cannot be read just then, or of what the token may not read, must not be gone by that.
 */
export class Recent<T> {
  readonly #kept = new Map<string, { readonly value: T; readonly atMs: number }>();

  keep(key: string, value: T, nowMs: number): void {
    for (const [other, { atMs }] of this.#kept) {
      if (nowMs - atMs >= KEPT_MS) this.#kept.delete(other);
    }
    this.#kept.set(key, { value, atMs: nowMs });
  }

  recall(key: string, nowMs: number): T | undefined {
    const kept = this.#kept.get(key);
    return kept !== undefined && nowMs - kept.atMs < KEPT_MS ? kept.value : undefined;
  }
}
