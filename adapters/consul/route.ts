import type { Timer, WatchContext } from '../../src/types.js';
import { type AgentHub, joinHub } from './agent-hub.js';
import type { AgentSettings } from './agent-options.js';
import type { AgentNews, Liveness } from './liveness.js';
import { Seat } from './seat.js';

/** News that all watches of an agent hear at once are acted on within this time, not in one tick. */
const SPREAD_MS = 250;

export interface RouteOptions {
  /** In order of preference, at least one. */
  readonly agents: readonly AgentSettings[];
  readonly maxParked: number;
  readonly context: Pick<WatchContext, 'clock' | 'rng' | 'signal'>;
  /** Something is known of an agent that may end a wait. */
  readonly onNews: () => void;
}

/**
 * Which of several agents a watch reads from: the preferred one, until it fails. Then the others have their turn, each
 * once a lap, and the one that answers is kept until an agent before it is trusted again. Agents are named by position.
 */
export class Route {
  readonly #options: RouteOptions;
  /** Those in use, and those before them, whose return is waited for. */
  readonly #hubs = new Map<number, AgentHub>();
  /** Those that failed in this lap. */
  readonly #failed = new Set<number>();
  #at = 0;
  #seat: Seat;
  #spread: Timer | undefined;

  constructor(options: RouteOptions) {
    this.#options = options;
    this.#seat = this.#seatAt(0);
    this.beginLap();
  }

  /** Where the next read goes: to an agent before the last one, if that is trusted again. */
  takeSeat(): Seat {
    const better = this.#better();
    if (better !== undefined) this.#moveTo(better);
    return this.#seat;
  }

  /** How messages name the agent that is asked. */
  get label(): string {
    return this.#seat.hub.label;
  }

  /** True when an agent before the one that is asked is trusted again. */
  get hasBetter(): boolean {
    return this.#better() !== undefined;
  }

  /** Grows when an agent that is waited for is well again. */
  get recoveries(): number {
    return [...this.#hubs.values()].reduce((sum, { liveness }) => sum + liveness.recoveries, 0);
  }

  /** A good read: nobody after this agent is needed any more. */
  succeeded(): void {
    this.#failed.clear();
    this.#seat.hub.liveness.succeeded();
    for (const [i, hub] of this.#hubs) if (i > this.#at) this.#leave(i, hub);
  }

  /** A read failed for a reason that may be the agent's. True when another is left to ask at once. */
  failed(): boolean {
    this.#failed.add(this.#at);
    this.#seat.hub.liveness.failed();
    this.#seat.hub.hasNoAcls = false; // it may come back with ACLs
    this.#seat.release();
    const next = this.#next();
    if (next !== undefined) this.#moveTo(next);
    return next !== undefined;
  }

  /** A read was refused, as other agents would: nobody else is asked. */
  refused(): void {
    this.#failed.clear();
    this.#seat.release();
  }

  /** All have their turn again. */
  beginLap(): void {
    this.#failed.clear();
    this.#moveTo(this.#next() ?? 0);
  }

  close(): void {
    this.#spread?.cancel();
    this.#seat.release();
    for (const [i, hub] of this.#hubs) this.#leave(i, hub);
  }

  /** Of those that have not failed in this lap: the first that is trusted, else the first that answers probes. */
  #next(): number | undefined {
    const left = [...this.#options.agents.keys()].filter((i) => !this.#failed.has(i));
    const livenessOf = (i: number): Liveness | undefined => this.#hubs.get(i)?.liveness;
    return (
      left.find((i) => livenessOf(i)?.isTrusted !== false) ??
      left.find((i) => livenessOf(i)?.isDown !== true) ??
      left[0]
    );
  }

  #better(): number | undefined {
    if (this.#failed.size > 0) return undefined; // a lap is on, in its own order
    for (let i = 0; i < this.#at; i++) {
      if (this.#hubs.get(i)?.liveness.isTrusted === true) return i;
    }
    return undefined;
  }

  #moveTo(i: number): void {
    if (i === this.#at) return;
    this.#seat.release();
    this.#at = i;
    this.#seat = this.#seatAt(i);
  }

  #seatAt(i: number): Seat {
    const { agents, context, maxParked } = this.#options;
    const hub = this.#hubs.get(i) ?? joinHub(agentAt(agents, i), context.clock, this);
    this.#hubs.set(i, hub);
    return new Seat(hub, maxParked, context);
  }

  #leave(i: number, hub: AgentHub): void {
    this.#hubs.delete(i);
    hub.leave(this);
  }

  /** For the hubs. */
  onNews(news: AgentNews): void {
    const { context, onNews } = this.#options;
    if (news === 'down') {
      onNews();
      return;
    }
    this.#spread ??= context.clock.setTimer(context.rng.next() * SPREAD_MS, () => {
      this.#spread = undefined;
      onNews();
    });
  }
}

function agentAt(agents: readonly AgentSettings[], i: number): AgentSettings {
  const agent = agents[i];
  if (agent === undefined) throw new Error('a route needs agents');
  return agent;
}
