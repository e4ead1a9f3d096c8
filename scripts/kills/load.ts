import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Rng } from 'fairlead';
import type { Caller, Method } from './callers.js';

/** The share of PUTs, and of POSTs; the rest are GETs. */
const PUT_RATIO = 0.2;
const POST_RATIO = 0.3;

export interface Failure {
  readonly id: string;
  readonly error: unknown;
}

/** The calls of one caller by one method. */
export class Tally {
  /** Ids of those that were answered as they should be. */
  readonly succeeded: string[] = [];
  readonly failures: Failure[] = [];
  /** Of those that succeeded, in microseconds. */
  readonly latency: RecordableHistogram = createHistogram();

  get calls(): number {
    return this.succeeded.length + this.failures.length;
  }
}

/** A closed loop: so many calls in flight at any time, the next begins when one has ended. */
export class Load {
  readonly tallies: Readonly<Record<Method, Tally>> = {
    GET: new Tally(),
    PUT: new Tally(),
    POST: new Tally(),
  };
  #count = 0;
  /** When those in flight began, in that order. */
  readonly #begun = new Map<string, number>();

  constructor(
    readonly caller: Caller,
    private readonly rng: Rng,
    private readonly repeatsPosts: boolean,
  ) {}

  /** When the oldest call in flight began; Infinity when there is none. */
  get oldestMs(): number {
    for (const startMs of this.#begun.values()) return startMs;
    return Infinity;
  }

  /** Until `signal` aborts and all calls have settled. */
  async run(inFlight: number, signal: AbortSignal): Promise<void> {
    const loop = async (): Promise<void> => {
      while (!signal.aborted) await this.#call();
    };
    await Promise.all(Array.from({ length: inFlight }, loop));
  }

  async #call(): Promise<void> {
    const drawn = this.rng.next();
    const method = drawn < POST_RATIO ? 'POST' : drawn < POST_RATIO + PUT_RATIO ? 'PUT' : 'GET';
    const id = `${this.caller.name}-${String(++this.#count)}`;
    const body = method === 'GET' ? undefined : id;
    const tally = this.tallies[method];
    const startMs = performance.now();
    this.#begun.set(id, startMs);
    try {
      const idempotent = this.repeatsPosts || undefined;
      const text = await this.caller.send({ method, id, body, idempotent });
      if (text !== `done ${id}`) throw new Error(`answered with ${text}`);
      tally.latency.record(Math.max(1, Math.round((performance.now() - startMs) * 1_000)));
      tally.succeeded.push(id);
    } catch (error) {
      tally.failures.push({ id, error });
    } finally {
      this.#begun.delete(id);
    }
  }
}
