import type { InstanceState } from '../instance-state.js';
import { nextStepMs, rampAt } from '../ramp.js';

/** Steps of a short ramp are no shorter: each makes pickers anew, which some policies pay for. */
const LEAST_STEP_MS = 100;

interface Ramp {
  readonly fromMs: number;
  readonly lastsMs: number;
}

/**
 * Instances of one set that warm up: caches to fill, code to compile, connections to open. Their capacity grows from a
 * tenth of their weight to all of it, in steps that the pickers follow; no timer, and nothing to pay while all are warm.
 *
 * Source: Envoy, "Slow start mode" (aggression 1, min_weight_percent 10 %).
 */
export class SlowStart {
  readonly #warming = new Map<InstanceState, Ramp>();
  #version = 0;
  #nextMs = Infinity;

  /** @param slowStartMs length of a ramp; 0 turns slow start off. */
  constructor(private readonly slowStartMs: number) {}

  /** Grows whenever a capacity has changed. */
  get version(): number {
    return this.#version;
  }

  /** When the next capacity changes; Infinity while all are warm. */
  get nextMs(): number {
    return this.#nextMs;
  }

  /**
   * The instance starts cold. One that warms up already starts again, and is done no sooner than it would have been.
   *
   * @param outMs how long it was out, if it was: nothing cools in less than that, and half of it is enough to warm up in.
   */
  begin(state: InstanceState, nowMs: number, outMs = Infinity): void {
    const lastsMs = Math.min(this.slowStartMs, outMs / 2);
    if (lastsMs <= 0) return;
    const current = this.#warming.get(state);
    const leftMs = current === undefined ? 0 : endOf(current) - nowMs;
    this.#warming.set(state, { fromMs: nowMs, lastsMs: Math.max(lastsMs, leftMs) });
    this.#nextMs = -Infinity; // to be told at the next refresh
    state.ramp = rampAt(0, lastsMs);
    this.#version++;
  }

  /** The instance has left: it takes no part any more. */
  forget(state: InstanceState): void {
    if (this.#warming.delete(state)) state.ramp = 1;
  }

  /** Brings capacities up to date. Asked before every build of a picker, and free before `nextMs`. */
  refresh(nowMs: number): void {
    if (nowMs < this.#nextMs) return;
    this.#nextMs = Infinity;
    for (const [state, warming] of this.#warming) {
      const { fromMs, lastsMs } = warming;
      const ramp = rampAt(nowMs - fromMs, lastsMs);
      if (ramp !== state.ramp) {
        state.ramp = ramp;
        this.#version++;
      }
      const atMs = nextStepMs(fromMs, lastsMs, nowMs);
      if (atMs === undefined) this.#warming.delete(state);
      else {
        const stepMs = Math.min(endOf(warming), Math.max(atMs, nowMs + LEAST_STEP_MS));
        this.#nextMs = Math.min(this.#nextMs, stepMs);
      }
    }
  }
}

function endOf({ fromMs, lastsMs }: Ramp): number {
  return fromMs + lastsMs;
}
