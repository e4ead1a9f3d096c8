/** What is known of the source of a client's list. Plain JSON. */
export interface DiscoveryStatus {
  readonly service: string;
  /** Name of the adapter. */
  readonly adapter: string;
  /**
   * `waiting`: the source has said nothing yet; `current`: it has confirmed the list, or is parked until there is news;
   * `stale`: it cannot be read, or says itself that its list may be old; `refused`: it turns the client away until a
   * configuration is changed. What is known is used in every case.
   */
  readonly state: 'waiting' | 'current' | 'stale' | 'refused';
  /** For how long the source has not confirmed the list (or said anything at all), in ms; 0 while it is current. */
  readonly staleForMs: number;
  /** Why it is not current, in words; `undefined` while it is, and while nothing is known of a fault. */
  readonly cause: string | undefined;
  /**
   * Age of the last list the source gave, in ms; `undefined` before the first. It may be confirmed since. While
   * `restored`: for how long the saved list is not confirmed.
   */
  readonly ageMs: number | undefined;
  /** True while the list in use was read from disk (`savedList`), or what is kept of it. */
  readonly restored: boolean;
  /** Instances known, those that are draining among them. */
  readonly size: number;
  /** True while instances are kept that the source no longer lists; `heldFor` says why. */
  readonly holding: boolean;
  readonly heldFor: string | undefined;
  /** Why the newest list may lack instances, by the source's own word; `undefined` when it does not. */
  readonly incomplete: string | undefined;
  /** The last fault of the source, since the start. */
  readonly lastFault: string | undefined;
  /** What the adapter tells of its source: for `consul()` the agent, the index, how consistent its reads are. */
  readonly details: Readonly<Record<string, string | number | boolean | undefined>>;
}

/** How things stand with a source. `sinceMs` is when it was not current any more, or the start. */
export type Standing =
  | { readonly kind: 'waiting'; readonly sinceMs: number }
  | { readonly kind: 'current' }
  | {
      readonly kind: 'stale';
      readonly sinceMs: number;
      readonly cause: string;
      /** It has refused the client in this outage, which was told. */
      readonly refused: boolean;
    }
  | { readonly kind: 'refused'; readonly sinceMs: number; readonly cause: string };

/** What is to be told of a change: each once in an outage. */
export type StandingNews =
  | { readonly kind: 'stale' | 'refused'; readonly reason: string }
  | { readonly kind: 'recovered'; readonly staleForMs: number };

/** It was heard. `stale`: but it says that what it has may be old, and why. */
export function heard(before: Standing, stale: string | undefined, nowMs: number): Standing {
  return stale === undefined ? { kind: 'current' } : outdated(before, 'stale', stale, nowMs);
}

/** Nothing newer can be had from it, because of `cause`. */
export function outdated(
  before: Standing,
  kind: 'stale' | 'refused',
  cause: string,
  nowMs: number,
): Standing {
  const sinceMs = before.kind === 'current' ? nowMs : before.sinceMs;
  return kind === 'refused'
    ? { kind, sinceMs, cause }
    : { kind, sinceMs, cause, refused: hasRefused(before) };
}

/** A first list is no recovery, and an outage that changes its cause is no new one. */
export function newsOf(before: Standing, after: Standing, nowMs: number): StandingNews | undefined {
  switch (after.kind) {
    case 'waiting':
      return undefined;
    case 'current':
      return before.kind === 'stale' || before.kind === 'refused'
        ? { kind: 'recovered', staleForMs: nowMs - before.sinceMs }
        : undefined;
    case 'stale':
      return before.kind === 'waiting' || before.kind === 'current'
        ? { kind: 'stale', reason: after.cause }
        : undefined;
    case 'refused':
      return hasRefused(before) ? undefined : { kind: 'refused', reason: after.cause };
  }
}

function hasRefused(standing: Standing): boolean {
  return standing.kind === 'refused' || (standing.kind === 'stale' && standing.refused);
}
