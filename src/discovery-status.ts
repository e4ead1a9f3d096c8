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
  /** Age of the last list the source gave, in ms; `undefined` before the first. It may be confirmed since. */
  readonly ageMs: number | undefined;
  /** True while the list in use was read from disk (`savedList`). */
  readonly restored: boolean;
  /** Instances known, those that are draining among them. */
  readonly size: number;
  /** True while instances are kept that the source no longer lists; `heldFor` says why. */
  readonly holding: boolean;
  readonly heldFor: string | undefined;
  /** The last fault of the source, since the start. */
  readonly lastFault: string | undefined;
  /** What the adapter tells of its source: for `consul()` the agent, the index, how consistent its reads are. */
  readonly details: Readonly<Record<string, string | number | boolean | undefined>>;
}
