import type { Consistency } from './options.js';

const DOWNWARDS: readonly Consistency[] = ['consistent', 'default', 'stale', 'cached'];
const TRY_AGAIN_AFTER_MS = 15_000;

/**
 * How consistent reads are asked to be. While there is no leader, or no server, each step down asks for less: any server
 * (`stale`), the agent's own cache (`cached`). What is wanted is tried again every 15 s.
 */
export class Ladder {
  readonly #rungs: readonly Consistency[];
  #steps = 0;
  #loweredAtMs = Infinity;

  constructor(private readonly wanted: Consistency) {
    this.#rungs = DOWNWARDS.slice(DOWNWARDS.indexOf(wanted));
  }

  get consistency(): Consistency {
    return this.#rungs[this.#steps] ?? this.wanted;
  }

  get isLowered(): boolean {
    return this.#steps > 0;
  }

  /** Steps down; false when there is nothing below. */
  lower(nowMs: number): boolean {
    if (this.#steps + 1 >= this.#rungs.length) return false;
    this.#steps++;
    this.#loweredAtMs = nowMs;
    return true;
  }

  /** Back to what is wanted. */
  reset(): void {
    this.#steps = 0;
    this.#loweredAtMs = Infinity;
  }

  /** How long the present step is to be kept, in ms; Infinity while it is the wanted one. */
  keptForMs(nowMs: number): number {
    return Math.max(0, this.#loweredAtMs + TRY_AGAIN_AFTER_MS - nowMs);
  }
}
