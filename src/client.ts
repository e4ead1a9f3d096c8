import { abortable, type WaitOptions } from './abortable.js';
import { CallGate } from './call-gate.js';
import { CallGuards } from './call-guards.js';
import { type ClientView, type Inside, ownCalls, SelectedView } from './client-view.js';
import { type ClientSnapshot, describeInstance, type InstanceSnapshot } from './client-snapshot.js';
import { withoutDeadline } from './deadline-scope.js';
import type { DiscoveryStatus } from './discovery-status.js';
import { realEnv } from './env.js';
import { FairleadError, show } from './errors.js';
import { type EventName, Events, type Listener } from './events.js';
import { InstanceSet } from './instance-set.js';
import type { InstanceState, Traffic } from './instance-state.js';
import type { Lease } from './lease.js';
import type { CallFunction } from './attempt-context.js';
import type { CallOptions, PickOptions } from './call-options.js';
import { type ClientOptions, type ResolvedOptions, resolveOptions } from './options.js';
import { resolvePolicy } from './policies/by-name.js';
import { learnerOf } from './policies/peak-ewma.js';
import { type Explanation, Selection } from './selection.js';
import { SetHealth } from './set-health.js';
import { available } from './stages/available.js';
import { draining } from './stages/draining.js';
import { priority } from './stages/priority.js';
import { describeSelectors, matching, select, type Selector } from './stages/selector.js';
import { subset } from './stages/subset.js';
import { zone } from './stages/zone.js';
import type { Env, Rng, Stage } from './types.js';
import { ZoneFinder } from './zone-finder.js';

/** One service's client. */
export interface Client extends ClientView {
  /** The live table. Plain JSON. */
  snapshot(): ClientSnapshot;
  /** What is known of the source of the list: whether it is current, for how long not, and why. Plain JSON. */
  discoveryStatus(): DiscoveryStatus;
  /**
   * Stops discovery, refuses new calls, waits for those in flight (and 2 s at most for `savedList`), frees everything. May
   * be called twice. With a `signal` the wait for calls can be given up: it rejects with the signal's reason, and closing goes on.
   */
  close(options?: WaitOptions): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes the client of one service and starts to watch its instances.
 *
 * @throws {InvalidOptionError} naming the first option out of range.
 */
export function createClient(options: ClientOptions): Client {
  // Made within a request, as pools do it: that request's deadline is none of its discovery's.
  return withoutDeadline(() => new ServiceClient(options));
}

class ServiceClient implements Client {
  readonly service: string;
  readonly #events = new Events();
  readonly #gate = new CallGate();
  readonly #env: Env;
  readonly #set: InstanceSet;
  readonly #health: SetHealth;
  readonly #guards: CallGuards;
  readonly #zone: ZoneFinder | undefined;
  readonly #view: SelectedView;
  readonly #policyName: string;
  #closing: Promise<void> | undefined;

  constructor(given: ClientOptions) {
    const options = resolveOptions(given);
    const policy = resolvePolicy(options.policy);
    const env = options.env ?? realEnv();
    const traffic: Traffic = { inFlight: 0 };
    const learner = learnerOf(policy.load);
    this.service = options.service;
    this.#env = env;
    this.#policyName = policy.name;
    this.#health = new SetHealth(options, env, this.#events);
    const guards = new CallGuards(options, env);
    this.#guards = guards;
    const { limits } = guards;
    const stateDeps = { ...this.#health.stateDeps, inFlight: guards.watch };
    const deps = { traffic, clock: env.clock, learner, ...stateDeps };
    const set = new InstanceSet(options, env, this.#events, deps);
    this.#set = set;
    this.#health.attach(set);
    const onMembers: typeof set.onMembers = (states) => {
      this.#health.watch(states);
      limits?.watch(states);
    };
    set.onMembers = onMembers;
    const news: Inside['news'] = new Set();
    const onNews = (): void => {
      limits?.tellWaiters();
      for (const tell of news) tell();
    };
    set.onNews = onNews;
    this.#zone = this.#findZone(options);
    const subsetRng = drawnOnce(env.rng);
    const zoneOf = (): string | undefined => this.#zone?.zone;
    this.#view = new SelectedView({
      gate: this.#gate,
      news,
      deps: { options, set, env, events: this.#events, traffic, guards },
      select: (selectors) => {
        const view = selectors.length === 0 ? undefined : describeSelectors(selectors);
        const byRole = selectors.some(({ role }) => role !== undefined);
        return new Selection(
          set,
          {
            stages: stagesFor(options, selectors, zoneOf, subsetRng),
            policy,
            selector:
              byRole && options.healthCheck === undefined ? `${String(view)}${NO_ROLES}` : view,
            isPending:
              byRole && options.healthCheck !== undefined
                ? () => isRoleUnknown(set, selectors)
                : undefined,
            keepsZone: options.stages.zone !== undefined,
            full: limits?.full,
            onPanic: (reason) => {
              this.#tellPanic(view, reason);
            },
          },
          env,
        );
      },
    });
  }

  call<T, F = T>(fn: CallFunction<T>, options?: CallOptions<F>): Promise<T | F> {
    return this.#view.call(fn, options);
  }

  pick(options?: PickOptions): Lease {
    return this.#view.pick(options);
  }

  ready(options?: WaitOptions): Promise<void> {
    return this.#view.ready(options);
  }

  explain(): Explanation {
    return this.#view.explain();
  }

  where(selector: Selector): ClientView {
    return this.#view.where(selector);
  }

  get origin(): object {
    return this.#view.origin;
  }

  get tlsServername(): string | undefined {
    return this.#view.tlsServername;
  }

  get inside(): Inside {
    return this.#view.inside;
  }

  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    return this.#view.on(name, listener);
  }

  snapshot(): ClientSnapshot {
    const set = this.#set;
    const { panic, panicPicks, rebuilds } = this.#view.selection;
    const nowMs = this.#env.clock.now();
    set.slowStart.refresh(nowMs);
    return {
      service: this.service,
      status: this.#closing === undefined ? set.status : 'closed',
      discovery: set.describeSource(),
      policy: this.#policyName,
      zone: this.#zone?.zone,
      panic,
      panicPicks,
      rebuilds,
      inFlight: this.#gate.inside,
      ...this.#guards.describe(nowMs),
      instances: [
        ...set
          .members()
          .map(({ instance, state }) =>
            this.#describe(state, instance.weight > 0 ? 'listed' : 'draining', nowMs),
          ),
        ...set.leaving().map((state) => this.#describe(state, 'leaving', nowMs)),
      ],
    };
  }

  discoveryStatus(): DiscoveryStatus {
    return this.#set.describeSource();
  }

  #describe(
    state: InstanceState,
    membership: InstanceSnapshot['membership'],
    nowMs: number,
  ): InstanceSnapshot {
    const limit = this.#guards.limits?.limitOf(state);
    return { ...describeInstance(state, membership, nowMs), limit };
  }

  close({ signal }: WaitOptions = {}): Promise<void> {
    this.#closing ??= this.#close();
    return abortable(this.#closing, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const reason = new FairleadError(
      'ERR_FAIRLEAD_CLOSED',
      `The client of "${this.service}" is closed.`,
    );
    const saved = this.#set.close(reason);
    this.#guards.close(reason);
    this.#health.close();
    this.#zone?.close();
    await Promise.all([this.#gate.close(reason), saved]);
    this.#set.shutdown();
    this.#env.clock.limits?.tidy();
    this.#events.removeAll();
  }

  #findZone({ service, stages }: ResolvedOptions): ZoneFinder | undefined {
    if (stages.zone === undefined) return undefined;
    return new ZoneFinder(stages.zone.local, this.#env, {
      onFound: () => {
        this.#set.invalidate();
      },
      onFault: (error) => {
        const message = `The caller's zone could not be found: ${error instanceof Error ? error.message : show(error)}`;
        this.#events.emit('discovery.fault', { service, adapter: 'zone', message, cause: error });
      },
    });
  }

  #tellPanic(view: string | undefined, reason: string | undefined): void {
    const at = { service: this.service, view };
    if (reason === undefined) this.#events.emit('panic.ended', at);
    else this.#events.emit('panic.started', { ...at, reason });
  }
}

/** True while nobody is known to be what all selectors mean, and somebody may be: first checks are out. */
function isRoleUnknown(set: InstanceSet, selectors: readonly Selector[]): boolean {
  const members = set.members();
  const exact = selectors.map((selector): Selector => ({ ...selector, fallback: 'error' }));
  return (
    members.some(({ state }) => state.health === 'unknown') && select(exact, members).length === 0
  );
}

/** What is added to the error of a selector that cannot match. */
const NO_ROLES = ' (roles come from health checks, and there are none)';

/** The same draw for all views: a client is in one subset, whatever its views. */
function drawnOnce(rng: Rng): Rng {
  let drawn: number | undefined;
  return { next: () => (drawn ??= rng.next()) };
}

/** The stages of one selection, in their order. They may remember, so each selection has its own. */
function stagesFor(
  { stages, panicRatio }: ResolvedOptions,
  selectors: readonly Selector[],
  zoneOf: () => string | undefined,
  rng: Rng,
): Stage[] {
  return [
    draining,
    ...(selectors.length === 0 ? [] : [matching(selectors)]),
    available(panicRatio, stages.priority),
    ...(stages.priority === undefined ? [] : [priority(stages.priority)]),
    ...(stages.zone === undefined ? [] : [zone(stages.zone, zoneOf)]),
    ...(stages.subset === undefined ? [] : [subset(stages.subset, rng)]),
  ];
}

// eslint-disable-next-line @typescript-eslint/unbound-method
ownCalls.add(ServiceClient.prototype.call);
