import type { InstanceState } from '../../instance-state.js';
import type { Candidate } from '../../types.js';

/** A candidate whose record the suite keeps, by the same class that keeps it in a client. */
export interface Member extends Candidate {
  readonly state: InstanceState;
}

/** What a call asks for. */
export interface Call {
  readonly excluded?: readonly string[];
  readonly hashKey?: string | undefined;
}
