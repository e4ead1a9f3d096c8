import type { InstanceState } from '../instance-state.js';

/** What an instance gets at least while it warms up, as a share of its weight. */
const LEAST_RAMP = 0.1;
/** Steps of a whole ramp. Each brings pickers up to date, so the weights of a policy that goes by them follow. */
const STEPS = 30;

/** Share of its weight that is given to what began to warm up `elapsedMs` ago: `max(0.1, elapsed / lasting)`. */
export function rampAt(elapsedMs: number, lastsMs: number): number {
  return lastsMs <= 0 ? 1 : Math.min(1, Math.max(LEAST_RAMP, elapsedMs / lastsMs));
}

/** The instant of the next step of a ramp; `undefined` when it is over. */
export function nextStepMs(fromMs: number, lastsMs: number, nowMs: number): number | undefined {
  const stepMs = lastsMs / STEPS;
  const step = Math.floor((nowMs - fromMs) / stepMs + 1e-9) + 1;
  return step > STEPS ? undefined : fromMs + step * stepMs;
}

/**
 * Instances of one set that warm up: caches to fill, code to compile, connections to open. Their capacity grows from a
 * tenth of their weight to all of it, in steps that the pickers follow; no timer, and nothing to pay while all are warm.
 *
 * Source: Envoy, "Slow start mode" (aggression 1, min_weight_percent 10 %).
 */
export class SlowStart {
  readonly #warming = new Map<
    InstanceState,
    { readonly fromMs: number; readonly lastsMs: number }
  >();
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

  isWarming(state: InstanceState): boolean {
    return this.#warming.has(state);
  }

  /** The instance starts cold. @param outMs how long it was out, if it was: nothing cools in less than that. */
  begin(state: InstanceState, nowMs: number, outMs = Infinity): void {
    const lastsMs = Math.min(this.slowStartMs, outMs);
    if (lastsMs <= 0) return;
    this.#warming.set(state, { fromMs: nowMs, lastsMs });
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
    for (const [state, { fromMs, lastsMs }] of this.#warming) {
      const ramp = rampAt(nowMs - fromMs, lastsMs);
      if (ramp !== state.ramp) {
        state.ramp = ramp;
        this.#version++;
      }
      const atMs = nextStepMs(fromMs, lastsMs, nowMs);
      if (atMs === undefined) this.#warming.delete(state);
      else this.#nextMs = Math.min(this.#nextMs, atMs);
    }
  }
}
