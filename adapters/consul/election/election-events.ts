import { Emitter } from '../../../src/emitter.js';

/** Every event of an election, with what its listeners are given. */
export interface ElectionEvents {
  /** This candidate leads from now on. */
  elected: { readonly key: string; readonly fencingToken: number };
  /** It does not lead any more. */
  lost: {
    readonly key: string;
    readonly fencingToken: number;
    readonly reason: LostReason;
    /** For how long it led. */
    readonly ledMs: number;
  };
  /**
   * Something is wrong, and tried again: Consul is away, say; or a task threw after its lead was over. The same text is
   * told at most once a minute. Holds no secret of the options.
   */
  fault: { readonly key: string; readonly message: string; readonly cause?: unknown };
}

/**
 * Why a leader steps down: `'expired'`, its session was not renewed in time; `'session-lost'`, Consul gave the session
 * up (a check is critical, an operator destroyed it, Consul lost its state); `'lock-lost'`, the key was deleted or taken
 * from it; `'resigned'` and `'closed'`, it was told to.
 */
export type LostReason = 'expired' | 'session-lost' | 'lock-lost' | 'resigned' | 'closed';

export type ElectionEventName = keyof ElectionEvents;
export type ElectionListener<Name extends ElectionEventName> = (
  event: ElectionEvents[Name],
) => void;

const NAMES: readonly ElectionEventName[] = ['elected', 'lost', 'fault'];

/** The events of one candidate, on the channels `fairlead:election.elected` and so on. */
export class ElectionEmitter extends Emitter<ElectionEvents> {
  constructor() {
    super(NAMES, 'fairlead:election.');
  }
}
