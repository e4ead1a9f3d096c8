import type { Clock, Rng } from '../../src/types.js';
import { exponentialMs } from './servers.js';

export interface StormServerOptions {
  /** Requests served at a time. */
  readonly workers: number;
  /** Mean time that one takes, in ms; exponentially distributed. */
  readonly serviceMs: number;
  /** Requests that may wait; one more is refused at once. */
  readonly queueSize: number;
  /** Share of the requests that fail at `nowMs`, when all their work is done. */
  readonly failureRatio: (nowMs: number) => number;
}

/**
 * A server of limited capacity, first come, first served. It does not know who has given up, and does their work all
 * the same, as most servers do.
 */
export class StormServer {
  #busy = 0;
  readonly #queue: (() => void)[] = [];

  /** @param onDone told of each request it is done with: whether it went well, and whether nobody waited any more. */
  constructor(
    private readonly options: StormServerOptions,
    private readonly clock: Clock,
    private readonly rng: Rng,
    private readonly onDone: (isGood: boolean, isWasted: boolean) => void,
  ) {}

  /** @param patienceMs how long the caller waits. */
  serve(patienceMs: number): Promise<void> {
    const { workers, queueSize } = this.options;
    return new Promise((resolve, reject) => {
      const cameAtMs = this.clock.now();
      const work = (): void => {
        this.#work(cameAtMs + patienceMs, resolve, reject);
      };
      if (this.#busy < workers) work();
      else if (this.#queue.length < queueSize) this.#queue.push(work);
      else reject(new Error('queue full'));
    });
  }

  #work(untilMs: number, resolve: () => void, reject: (error: Error) => void): void {
    const { serviceMs, failureRatio } = this.options;
    this.#busy++;
    this.clock.setTimer(exponentialMs(this.rng, serviceMs), () => {
      const nowMs = this.clock.now();
      const isGood = this.rng.next() >= failureRatio(nowMs);
      this.#busy--;
      this.onDone(isGood, nowMs > untilMs);
      if (isGood) resolve();
      else reject(new Error('failing'));
      this.#queue.shift()?.();
    });
  }
}
