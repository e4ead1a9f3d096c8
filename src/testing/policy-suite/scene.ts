import { toInstance } from '../../discovery.js';
import { InstanceState } from '../../instance-state.js';
import type { Lease } from '../../lease.js';
import { learnerOf } from '../../policies/peak-ewma.js';
import { seedUnmeasured } from '../../slot.js';
import type { CallContext, Candidate, Picker, Policy } from '../../types.js';
import { seededRng } from '../seeded-rng.js';
import { PolicyViolation, type Subject } from './case.js';
import { describeScene } from './describe.js';
import type { Member } from '../../instance-set.js';
import type { Call } from './call.js';
import { SteppedClock } from './stepped-clock.js';

/**
 * A policy at work: the lists it is given, the calls it picks for, and the clock, chance and records that a client
 * would have. Every pick is checked: it is a candidate of the newest list that is not excluded, and `undefined` only
 * when there is none.
 */
export class Scene {
  readonly clock = new SteppedClock();
  readonly #rng;
  readonly #traffic = { inFlight: 0 };
  readonly #states = new Map<string, InstanceState>();
  #list: readonly Member[] = [];
  #members: ReadonlySet<Candidate> = new Set();
  #picker: Picker | undefined;

  constructor(
    { makePolicy }: Subject,
    readonly seed: number,
    readonly policy: Policy = makePolicy(),
  ) {
    this.#rng = seededRng(seed);
  }

  get list(): readonly Member[] {
    return this.#list;
  }

  /** A new candidate object. Its record is the one its id had before, if any. */
  member(id: string, weight = 1, host = id): Member {
    const instance = toInstance({ id, host, port: 80, weight }, id);
    let state = this.#states.get(id);
    if (state === undefined) {
      const learner = learnerOf(this.policy.load);
      const { clock } = this;
      const traffic = this.#traffic;
      state = new InstanceState(instance, { traffic, clock, learner, createBreaker: undefined });
      this.#states.set(id, state);
    }
    state.instance = instance;
    return { instance, state };
  }

  /** Candidates `c0`, `c1`, ... of these weights. */
  members(weights: readonly number[]): Member[] {
    return weights.map((weight, i) => this.member(`c${String(i)}`, weight));
  }

  /** Gives the policy this list, and the picker of the list before. */
  build(list: readonly Member[]): this {
    this.#list = list;
    this.#members = new Set(list);
    seedUnmeasured(list, this.policy.load, this.clock.now());
    const { clock } = this;
    this.#picker = this.#guarded('build', () =>
      this.policy.build(list, { clock, rng: this.#rng }, this.#picker),
    );
    return this;
  }

  /** The next list is built as a first one. */
  forget(): this {
    this.#picker = undefined;
    return this;
  }

  /** The pick for a call that is not made. */
  pick(call: Call = {}): Member | undefined {
    const excluded = new Set(call.excluded);
    const { size } = excluded;
    const context: CallContext = Object.freeze({
      nowMs: this.clock.now(),
      excluded,
      hashKey: call.hashKey,
      inFlight: this.#traffic.inFlight,
      retry: size > 0,
      passing: false,
    });
    const picked = this.#guarded('pick', () => this.#picker?.pick(context), call);
    if (excluded.size !== size) {
      return this.fail('that pick leaves the set of the excluded alone', 'another set', call);
    }
    if (picked === undefined) {
      const left = this.#list.find(({ instance }) => !excluded.has(instance.id));
      if (left === undefined) return undefined;
      return this.fail(`a candidate, as ${left.instance.id} is left`, 'undefined', call);
    }
    if (!this.#members.has(picked)) {
      const what = `${picked.instance.id}, an object that is not in the newest list`;
      return this.fail('one of the candidates of the newest list, itself (===)', what, call);
    }
    const { id } = picked.instance;
    if (excluded.has(id)) return this.fail('a candidate that is not excluded', id, call);
    return picked as Member;
  }

  /** The pick for a call that is made: it is in flight until the lease is ended. */
  begin(call: Call = {}): { readonly id: string; readonly lease: Lease } | undefined {
    const picked = this.pick(call);
    if (picked === undefined) return undefined;
    return { id: picked.instance.id, lease: picked.state.begin(this.clock.now()) };
  }

  /** Always throws, telling all that is needed to see the failure again. */
  fail(expected: string, got: string, call: Call = {}, cause?: unknown): never {
    const message = `Policy "${this.policy.name}": expected ${expected}; got ${got}.`;
    const where = describeScene(this.seed, this.#list, call);
    throw new PolicyViolation(`${message}\n${where}`, cause === undefined ? undefined : { cause });
  }

  #guarded<T>(what: string, run: () => T, call?: Call): T {
    try {
      return run();
    } catch (error) {
      return this.fail(`that ${what} does not throw`, String(error), call, error);
    }
  }
}
