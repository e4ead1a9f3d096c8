/** Everything that judges the instances of one set: breakers, outlier detection, health checks. */
import type { Events } from './events.js';
import { type BreakerHooks, OpossumBreaker } from './health/breaker.js';
import { EjectionCap } from './health/ejection-cap.js';
import { type HealthChange, HealthChecker } from './health/health-check.js';
import { OutlierDetection } from './health/outlier-detection.js';
import type { InstanceSet } from './instance-set.js';
import type { InstanceState, StateDeps } from './instance-state.js';
import type { ResolvedOptions } from './options.js';
import type { BreakerState, Env } from './types.js';

export class SetHealth {
  /** What the records of the set's instances are made with. */
  readonly stateDeps: Pick<StateDeps, 'createBreaker' | 'createWatch' | 'onIdle'>;
  #set: InstanceSet | undefined;
  #cap: EjectionCap | undefined;
  readonly #checker: HealthChecker | undefined;

  constructor(
    private readonly options: ResolvedOptions,
    private readonly env: Env,
    private readonly events: Events,
  ) {
    const { breaker, outlierDetection, healthCheck, service } = options;
    const outliers =
      breaker && outlierDetection ? new OutlierDetection(outlierDetection) : undefined;
    this.stateDeps = {
      createBreaker:
        breaker && ((state) => new OpossumBreaker(breaker, env, new OwnBreaker(state, this))),
      createWatch: outliers && ((state) => outliers.watch(state)),
      onIdle: (state) => this.#set?.noteIdle(state),
    };
    this.#checker =
      healthCheck &&
      new HealthChecker(healthCheck, service, env, (state, change) => {
        this.#onChecked(state, change);
      });
  }

  attach(set: InstanceSet): void {
    const { outlierDetection, stages } = this.options;
    this.#set = set;
    this.#cap =
      outlierDetection &&
      new EjectionCap(
        outlierDetection.maxEjectedRatio,
        () => set.members(),
        () => set.structure,
        stages.priority !== undefined,
      );
  }

  /** The list has changed: these are its members now. */
  watch(states: readonly InstanceState[]): void {
    this.#checker?.watch(states);
  }

  close(): void {
    this.#checker?.close();
  }

  onBreakerHeld({ instance }: InstanceState): void {
    this.#set?.noteBreaker(); // retries avoid it
    const { service } = this.options;
    this.events.emit('breaker.held', { service, instanceId: instance.id });
  }

  onBreakerChange(state: InstanceState, to: BreakerState, outMs: number, from: BreakerState): void {
    // One that has left may still hear of its last attempts; nobody counts on it.
    if (this.#set?.has(state) === true) {
      if (to.kind === 'closed') this.#set.slowStart.begin(state, this.env.clock.now(), outMs);
      this.#cap?.noteBreaker(state, from.kind !== 'closed', to.kind !== 'closed');
      this.#set.noteBreaker();
    }
    this.#tellBreaker(state.instance.id, to);
  }

  mayOpen({ instance, health }: InstanceState): boolean {
    if (this.#cap === undefined || this.#cap.allows(instance, health === 'unhealthy')) return true;
    this.#set?.wantFresh(this.env.clock.now()); // too many fail: the list may be out of date
    return false;
  }

  #tellBreaker(instanceId: string, to: BreakerState): void {
    const at = { service: this.options.service, instanceId };
    if (to.kind === 'closed') this.events.emit('breaker.closed', at);
    else if (to.kind === 'open') {
      this.events.emit('breaker.opened', { ...at, openMs: to.untilMs - this.env.clock.now() });
    } else if (to.probeUntilMs !== undefined) this.events.emit('breaker.half-opened', at);
  }

  #onChecked(state: InstanceState, { before, outMs, error }: HealthChange): void {
    if (outMs > 0) this.#set?.slowStart.begin(state, this.env.clock.now(), outMs);
    const isOut = state.health === 'unhealthy';
    if (isOut !== (before.health === 'unhealthy') || state.role !== before.role) {
      this.#set?.invalidate();
    } else this.#set?.tellWaiters(); // known to be healthy: nobody picks another way for that
    const { service } = this.options;
    const { instance, health, role } = state;
    this.events.emit('health.changed', { service, instanceId: instance.id, health, role, error });
  }
}

/** What the breaker of one instance tells, and asks. There may be many: one object takes less than three functions. */
class OwnBreaker implements BreakerHooks {
  constructor(
    private readonly state: InstanceState,
    private readonly health: SetHealth,
  ) {}

  onChange(to: BreakerState, outMs: number, from: BreakerState): void {
    this.health.onBreakerChange(this.state, to, outMs, from);
  }

  mayOpen(): boolean {
    return this.health.mayOpen(this.state);
  }

  onHeld(): void {
    this.health.onBreakerHeld(this.state);
  }
}
