import { setTimeout as sleep } from 'node:timers/promises';
import type { Rng } from 'fairlead';
import { BodyError, type Caller, TIMEOUT_MS } from './callers.js';
import { between } from './faults.js';
import type { LoopLag } from './loop-lag.js';
import { Tally } from './tally.js';
import type { Violations } from './violations.js';

/** Calls may settle so much after their limit. */
const GRACE_MS = 50;
/** A call is cancelled by its caller so often, within so many ms. */
const CANCEL_RATIO = 0.02;
const CANCEL_MS = 60;
const POST_RATIO = 0.3;
/** A call had bad luck with this process, if for so much of its time the loop was late, and for so many ms at least. */
const STARVED_RATIO = 0.3;
const STARVED_MS = 50;

export interface LoadParts {
  readonly callers: readonly Caller[];
  readonly rng: Rng;
  readonly lag: LoopLag;
  readonly violations: Violations;
  /** What is wrong now, in words. */
  readonly faults: () => string;
  /** Told of each non-idempotent call that succeeded. */
  readonly onPosted: (id: string) => void;
}

/** Calls at random moments, however long those before take, and judges how each settles. */
export class Load {
  /** By caller and method. */
  readonly tallies = new Map<string, Tally>();
  /** A signal that outlives all calls, as that of an application's shutdown does. */
  readonly longLived = new AbortController();
  #inFlight = 0;
  #count = 0;

  constructor(private readonly parts: LoadParts) {}

  get inFlight(): number {
    return this.#inFlight;
  }

  get calls(): number {
    return this.#count;
  }

  async run(perSecond: number, signal: AbortSignal): Promise<void> {
    const { rng } = this.parts;
    for (let nextMs = performance.now(); ;) {
      nextMs += (-Math.log(1 - rng.next()) * 1_000) / perSecond; // open loop: Poisson arrivals
      const waitMs = nextMs - performance.now();
      if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      void this.#call();
    }
  }

  /** @returns false when calls are still under way after `ms`. */
  async settled(ms: number): Promise<boolean> {
    const endMs = performance.now() + ms;
    while (this.#inFlight > 0 && performance.now() < endMs) await sleep(10);
    return this.#inFlight === 0;
  }

  async #call(): Promise<void> {
    const { callers, rng, lag, faults } = this.parts;
    const caller = callers[Math.floor(rng.next() * callers.length)];
    if (caller === undefined) return;
    const method = rng.next() < POST_RATIO ? 'POST' : 'GET';
    const id = `${method}-${String(++this.#count)}`;
    const length = rng.next() < 0.05 ? 3_000 : Math.ceil(rng.next() * 40);
    const cancelAfterMs = rng.next() < CANCEL_RATIO ? between(rng, 0, CANCEL_MS) : undefined;
    const cancel = cancelAfterMs === undefined ? this.longLived : new AbortController();
    const tally = this.#tallyOf(`${caller.name} ${method}`);
    let limitMs = TIMEOUT_MS + caller.bodyMs;
    let cancelledMs: number | undefined;
    const timer =
      cancelAfterMs === undefined
        ? undefined
        : setTimeout(() => {
            cancelledMs = performance.now();
            cancel.abort(new Error('changed my mind'));
          }, cancelAfterMs);
    tally.calls++;
    this.#inFlight++;
    const faultsBefore = faults();
    const startMs = performance.now();
    const work = {
      method,
      id,
      path: `/work/${id}/${String(length)}`,
      signal: cancel.signal,
    } as const;
    try {
      const text = await caller.send(work);
      tally.latency.record(Math.max(1, Math.round((performance.now() - startMs) * 1_000)));
      this.#checkBody(text, id, length);
      if (method === 'POST') this.parts.onPosted(id);
    } catch (error) {
      if (!(error instanceof BodyError)) limitMs = TIMEOUT_MS;
      if (cancelledMs !== undefined) tally.cancelled++;
      else {
        const tookMs = performance.now() - startMs;
        const isStarved = lag.sinceMs(startMs) > Math.max(STARVED_RATIO * tookMs, STARVED_MS);
        tally.noteFailure({ error, tookMs, isStarved, faults: faults() || faultsBefore });
      }
    } finally {
      clearTimeout(timer);
      this.#inFlight--;
      this.#checkTime(tally, caller.name, id, Math.min(startMs + limitMs, cancelledMs ?? Infinity));
    }
  }

  #checkBody(text: string, id: string, length: number): void {
    if (text === `${id} `.repeat(length)) return;
    const seen = `${String(text.length)} characters, ${JSON.stringify(text.slice(0, 40))}`;
    this.parts.violations.add('wrong body taken for good', `${id}: ${seen}`);
  }

  #checkTime(tally: Tally, caller: string, id: string, limitMs: number): void {
    const { lag, violations, faults } = this.parts;
    const overrunMs = performance.now() - limitMs;
    tally.worstOverrunMs = Math.max(tally.worstOverrunMs, overrunMs);
    if (overrunMs <= GRACE_MS) return;
    const lagMs = lag.sinceMs(limitMs - GRACE_MS);
    if (overrunMs <= GRACE_MS + lagMs) return;
    const by = `${overrunMs.toFixed(0)} ms over its limit, the loop ${lagMs.toFixed(0)} ms late`;
    violations.add('settled late', `${caller} ${id}: ${by} (${faults()})`);
  }

  #tallyOf(name: string): Tally {
    const known = this.tallies.get(name);
    if (known !== undefined) return known;
    const tally = new Tally();
    this.tallies.set(name, tally);
    return tally;
  }
}
