/** How an election stands, as plain JSON. Holds no secret. */
export interface ElectionStatus {
  readonly key: string;
  readonly role: 'leader' | 'standby' | 'closed';
  readonly fencingToken: number | undefined;
  /** What the key says of whoever leads, as last read. */
  readonly leader: string | undefined;
  /** `undefined` while there is no session. */
  readonly sessionAgeMs: number | undefined;
  /** For how long the session is certain to be alive, and so the lead of a leader. */
  readonly validForMs: number | undefined;
  /** The newest of all faults; it may be over. */
  readonly lastFault: { readonly message: string; readonly agoMs: number } | undefined;
}
