import type { Snapshot } from '../../src/types.js';

/** A watch that is begun again sooner than this goes on where the one before ended. */
const KEPT_MS = 60_000;

/**
 * The last list of each datacenter of a watch that ended. The core begins a watch anew to have a list confirmed; what was
 * known of a datacenter that cannot be read just then must not be gone.
 */
export class RememberedLists {
  readonly #lists = new Map<string, { readonly snapshot: Snapshot; readonly atMs: number }>();

  keep(service: string, rank: number, snapshot: Snapshot, nowMs: number): void {
    for (const [key, { atMs }] of this.#lists) if (nowMs - atMs >= KEPT_MS) this.#lists.delete(key);
    this.#lists.set(keyOf(service, rank), { snapshot, atMs: nowMs });
  }

  recall(service: string, rank: number, nowMs: number): Snapshot | undefined {
    const kept = this.#lists.get(keyOf(service, rank));
    return kept !== undefined && nowMs - kept.atMs < KEPT_MS ? kept.snapshot : undefined;
  }
}

function keyOf(service: string, rank: number): string {
  return `${String(rank)} ${service}`;
}
