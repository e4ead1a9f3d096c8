import {
  type DiscoveryStatus,
  heard,
  newsOf,
  outdated,
  type Standing,
} from './discovery-status.js';
import type { Events } from './events.js';
import type { Clock, DiscoveryFault, SourceStanding } from './types.js';

/** Tells what was noticed. Not at once: whoever listens is to see the list as it is then. */
export type Tell = () => void;

/** Keeps what is known of the source beside its list, and tells when that changes. */
export class SourceTracker {
  #standing: Standing;
  #lastFault: string | undefined;
  #details: DiscoveryStatus['details'] = Object.freeze({});

  constructor(
    private readonly of: { readonly service: string; readonly adapter: string },
    private readonly clock: Clock,
    private readonly events: Events,
  ) {
    this.#standing = { kind: 'waiting', sinceMs: clock.now() };
  }

  /** True until it has been heard, or has failed. */
  get isWaiting(): boolean {
    return this.#standing.kind === 'waiting';
  }

  /** The source has answered. `stale`: but its list may be old, and why. */
  heard(stale: string | undefined): Tell {
    return this.#become(heard(this.#standing, stale, this.clock.now()));
  }

  /** It has not answered in its time, so a list of an earlier run is used. A fault before that says more. */
  unanswered(cause: string): Tell {
    return this.#become(
      this.isWaiting ? outdated(this.#standing, 'stale', cause, this.clock.now()) : this.#standing,
    );
  }

  /** Tells of a fault, and of what it means for the list. */
  failed(fault: DiscoveryFault): void {
    const { message, effect } = fault;
    this.#lastFault = message;
    const tell =
      effect === 'stale' || effect === 'refused'
        ? this.#become(outdated(this.#standing, effect, message, this.clock.now()))
        : undefined;
    this.events.emit('discovery.fault', { ...this.of, ...fault });
    tell?.();
  }

  /** Takes the place of what was told before. */
  note(details: SourceStanding['details']): void {
    if (details !== undefined) this.#details = Object.freeze({ ...details });
  }

  describe(): Pick<
    DiscoveryStatus,
    'service' | 'adapter' | 'state' | 'staleForMs' | 'cause' | 'lastFault' | 'details'
  > {
    const standing = this.#standing;
    return {
      ...this.of,
      state: standing.kind,
      staleForMs: standing.kind === 'current' ? 0 : this.clock.now() - standing.sinceMs,
      cause: 'cause' in standing ? standing.cause : undefined,
      lastFault: this.#lastFault,
      details: this.#details,
    };
  }

  #become(after: Standing): Tell {
    const news = newsOf(this.#standing, after, this.clock.now());
    this.#standing = after;
    return () => {
      if (news?.kind === 'recovered') {
        this.events.emit('discovery.recovered', { ...this.of, staleForMs: news.staleForMs });
      } else if (news !== undefined) {
        this.events.emit(`discovery.${news.kind}`, { ...this.of, reason: news.reason });
      }
    };
  }
}
