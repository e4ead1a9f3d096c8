const TICK_MS = 10;
const KEPT = 1_000;

/** How late the process is with its timers: no limit can be kept more exactly than that. */
export class LoopLag {
  worstMs = 0;
  /** Of the time so far, what was spent in turns of the loop that made timers late. */
  busyMs = 0;
  /** Turns that were too long, the latest last. */
  readonly #late: { readonly endMs: number; readonly ms: number }[] = [];
  #tickMs = performance.now();
  readonly #timer = setInterval(() => {
    const nowMs = performance.now();
    const turn = { endMs: nowMs, ms: nowMs - this.#tickMs };
    this.#tickMs = nowMs;
    this.worstMs = Math.max(this.worstMs, turn.ms - TICK_MS);
    if (turn.ms < 1.5 * TICK_MS) return;
    this.busyMs += turn.ms;
    this.#late.push(turn);
    if (this.#late.length > KEPT) this.#late.shift();
  }, TICK_MS);

  /** How long, since then, the loop was in turns that made timers late; the one under way counts. */
  sinceMs(fromMs: number): number {
    let sum = performance.now() - this.#tickMs;
    for (let i = this.#late.length - 1; i >= 0; i--) {
      const turn = this.#late[i];
      if (turn === undefined || turn.endMs < fromMs) break;
      sum += turn.ms;
    }
    return sum;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
