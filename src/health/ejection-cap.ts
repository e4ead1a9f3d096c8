import type { Candidate, InstanceRecord } from '../types.js';

interface Tally {
  total: number;
  out: number;
}

const NOBODY: Tally = { total: 0, out: 0 };

/**
 * Bounds how many instances of a priority are out at a time, so that what ails them all (a database behind them, the
 * caller's own network) does not take them all out. The ratio is measured with the next one out, unlike Envoy's
 * `max_ejection_percent`, by which all of three could be ejected (envoy#27066).
 */
export class EjectionCap {
  #version = NaN;
  #tallies: ReadonlyMap<number, Tally> = new Map();

  /**
   * @param maxEjectedRatio the share of a priority that may be out, 0 to 1.
   * @param byPriority whether one priority takes over from another; else all are counted as one.
   * @param version grows whenever members or their health have changed: until then nothing is counted again.
   */
  constructor(
    private readonly maxEjectedRatio: number,
    private readonly members: () => readonly Candidate[],
    private readonly version: () => number,
    private readonly byPriority = true,
  ) {}

  /**
   * May one more of this instance's priority be out? All of them while another priority has one that is in, for that is
   * what it is there for; else the last one never, and no more than the ratio.
   *
   * @param isCounted it is out already, by a health check.
   */
  allows(instance: { readonly priority: number }, isCounted = false): boolean {
    const priority = this.#groupOf(instance);
    const version = this.version();
    if (version !== this.#version) {
      this.#version = version;
      this.#tallies = this.#tally();
    }
    for (const [other, { total, out }] of this.#tallies) {
      if (other !== priority && out < total) return true;
    }
    const { total, out } = this.#tallies.get(priority) ?? NOBODY;
    const wouldBeOut = isCounted ? out : out + 1;
    return wouldBeOut < total && wouldBeOut / total <= this.maxEjectedRatio;
  }

  /** The breaker of a member has changed: it was out before, or not, and is out now, or not. */
  noteBreaker({ instance, health }: InstanceRecord, wasOut: boolean, isOut: boolean): void {
    if (wasOut === isOut || instance.weight === 0 || health === 'unhealthy') return;
    if (this.version() !== this.#version) return; // will be counted anew
    const tally = this.#tallies.get(this.#groupOf(instance));
    if (tally !== undefined) tally.out += isOut ? 1 : -1;
  }

  #groupOf({ priority }: { readonly priority: number }): number {
    return this.byPriority ? priority : 0;
  }

  #tally(): ReadonlyMap<number, Tally> {
    const tallies = new Map<number, Tally>();
    for (const { instance, state } of this.members()) {
      if (instance.weight === 0) continue; // drains: nobody counts on it
      const group = this.#groupOf(instance);
      const found = tallies.get(group) ?? { total: 0, out: 0 };
      found.total++;
      if (state.breaker.kind !== 'closed' || state.health === 'unhealthy') found.out++;
      tallies.set(group, found);
    }
    return tallies;
  }
}
