/** A service that is registered, as its owner sees it. Types only. */
import type { WaitOptions } from '../../../src/abortable.js';
import type { CheckStatus } from './check-options.js';
import type { DrainFunction } from './options.js';
import type { ServiceDetails } from './service-details.js';

/** A service that is registered and kept so until it is stopped. It does not keep the process alive. */
export interface Registration {
  /** Of the service at its agent. */
  readonly id: string;
  /** Of the service. */
  readonly name: string;
  /** How it stands. Plain JSON. */
  status(): RegistrationStatus;
  /**
   * What the heartbeats of the TTL check say from now on, or worse where `health` does; at first `'passing'`, or `status`
   * of the check. Output are words for people, of up to 1,000 characters.
   *
   * Resolves when the agent has heard it. This, {@link maintenance} and {@link update} reject with
   * `ERR_FAIRLEAD_DISCOVERY` when it could not be told at once; the next heartbeat tells it all the same.
   */
  setStatus(status: CheckStatus, output?: string): Promise<void>;
  /** Maintenance mode: callers see the service as critical. It is set again after an agent restart. */
  maintenance(on: boolean, reason?: string): Promise<void>;
  /** Registers with other tags, metadata or weights; what is not given stays. What the agent refuses is not kept. */
  update(details: ServiceDetails): Promise<void>;
  /** @returns the function that takes the listener away again. */
  on<Name extends keyof RegistrationEvents>(
    name: Name,
    listener: (event: RegistrationEvents[Name]) => void,
  ): () => void;
  /**
   * Ends the heartbeats, deregisters, waits `settleMs` so that callers hear of it, waits for `drain`, and gives up its
   * share of the sockets. An agent that does not answer costs 3 s at most; it finds out by the TTL, and
   * `deregisterAfterMs` cleans up.
   *
   * May be called twice: the first counts. Rejects with what `drain` throws, or with `ERR_FAIRLEAD_DEADLINE_EXCEEDED` when
   * that takes longer than `drainTimeoutMs`, in both cases at the end of it all.
   */
  stop(options?: StopOptions): Promise<void>;
  /** As {@link stop}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What is not given is as in the options of the registration. */
export interface StopOptions extends WaitOptions {
  readonly settleMs?: number | undefined;
  readonly drain?: DrainFunction | undefined;
  readonly drainTimeoutMs?: number | undefined;
}

export interface RegistrationStatus {
  readonly id: string;
  readonly name: string;
  /** Which agent, without credentials. */
  readonly agent: string;
  /** `lost`: the agent said that it does not have it any more, and has not taken it again yet. */
  readonly state: 'registered' | 'lost' | 'stopping' | 'stopped';
  /** What heartbeats say; `undefined` without a TTL check. */
  readonly check: CheckStatus | undefined;
  readonly output: string | undefined;
  /** True while in the maintenance mode that was set here. */
  readonly maintenance: boolean;
  /** How long ago the agent last answered that all is well, in ms. */
  readonly confirmedAgoMs: number | undefined;
  /** Requests that failed since. */
  readonly failures: number;
  /** The last fault, since the start. */
  readonly lastFault: string | undefined;
}

/** Every event of a registration. */
export interface RegistrationEvents {
  /** The agent has taken it again: after it was lost, or updated. */
  registered: { readonly id: string };
  /** The agent does not have it any more, most likely because it restarted. It is told again at once. */
  lost: { readonly id: string };
  /** A request failed, or `drain` did. A lasting fault is told once a minute. */
  fault: {
    readonly id: string;
    readonly message: string;
    /** In a row. */
    readonly failures: number;
    readonly cause: unknown;
  };
  /** The end; `deregistered` tells whether the agent took that. */
  stopped: { readonly id: string; readonly deregistered: boolean };
}
