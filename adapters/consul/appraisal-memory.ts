import type { Instance } from '../../src/types.js';
import type { Places } from './entry-places.js';

/** What a watch knew of its list, and of what it kept beside it. */
export interface AppraisalMemory {
  readonly places: Places;
  readonly instances: ReadonlyMap<string, Instance>;
}

/** A watch that is begun again sooner than this goes on where the one before ended. */
const KEPT_MS = 60_000;

const memories = new WeakMap<object, Map<string, { memory: AppraisalMemory; atMs: number }>>();

/** The core begins a watch anew to have a list confirmed: what the token may not read must not be gone by that. */
export function keepMemory(
  owner: object,
  key: string,
  memory: AppraisalMemory,
  nowMs: number,
): void {
  const kept = memories.get(owner) ?? new Map<string, { memory: AppraisalMemory; atMs: number }>();
  memories.set(owner, kept);
  for (const [other, { atMs }] of kept) if (nowMs - atMs >= KEPT_MS) kept.delete(other);
  kept.set(key, { memory, atMs: nowMs });
}

export function recallMemory(
  owner: object,
  key: string,
  nowMs: number,
): AppraisalMemory | undefined {
  const found = memories.get(owner)?.get(key);
  return found !== undefined && nowMs - found.atMs < KEPT_MS ? found.memory : undefined;
}
