import { Emitter } from './emitter.js';
import type { AttemptRecord, DiscoveryFault, Health } from './types.js';

/** Every event of a client, with what its listeners are given. */
export interface FairleadEvents {
  /** The list of instances changed. */
  'instances.changed': {
    readonly service: string;
    readonly size: number;
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly updated: readonly string[];
  };
  /** The source's list emptied or shrank by more than half; what vanished is kept for `graceMs`. */
  'instances.held': {
    readonly service: string;
    readonly kept: number;
    readonly reported: number;
    /** Infinity where the source says itself that its list is incomplete: until it no longer does. */
    readonly graceMs: number;
    /** Why what vanished is kept. */
    readonly reason: string;
  };
  /** The source has not answered, so the list saved on disk by an earlier run is used (`savedList`). */
  'instances.restored': {
    readonly service: string;
    readonly size: number;
    /** Age of the saved list. */
    readonly ageMs: number;
  };
  /** From now on the list in use is not confirmed by its source, for the reason named. Once per outage. */
  'discovery.stale': {
    readonly service: string;
    readonly adapter: string;
    readonly reason: string;
  };
  /** The source turns the client away until a configuration is changed (a token, a filter). Once per outage. */
  'discovery.refused': {
    readonly service: string;
    readonly adapter: string;
    readonly reason: string;
  };
  /** The source confirms the list again. */
  'discovery.recovered': {
    readonly service: string;
    readonly adapter: string;
    /** For how long it did not. */
    readonly staleForMs: number;
  };
  /** The source is broken for now, or emitted something unusable. The list is not touched. */
  'discovery.fault': DiscoveryFault & { readonly service: string; readonly adapter: string };
  /** A removed or draining instance has no attempt in flight any more: its idle connections can be closed. */
  'instance.drained': {
    readonly service: string;
    readonly instanceId: string;
    /** Of the instance: `protocol://host:port`. */
    readonly url: string;
  };
  /** Active health checks changed their mind, or found another role. */
  'health.changed': {
    readonly service: string;
    readonly instanceId: string;
    readonly health: Health;
    readonly role: string | undefined;
    /** What the last check said, when it failed. */
    readonly error: string | undefined;
  };
  /** Too few instances are available: all of them are used. Noticed at the first pick after a change. */
  'panic.started': {
    readonly service: string;
    /** The selector of the view that is in panic, in words; `undefined` for the client itself. */
    readonly view: string | undefined;
    readonly reason: string;
  };
  'panic.ended': { readonly service: string; readonly view: string | undefined };
  /** A breaker would have opened, but too many of its priority are out already (`maxEjectedRatio`). */
  'breaker.held': { readonly service: string; readonly instanceId: string };
  'breaker.opened': {
    readonly service: string;
    readonly instanceId: string;
    readonly openMs: number;
  };
  'breaker.half-opened': { readonly service: string; readonly instanceId: string };
  'breaker.closed': { readonly service: string; readonly instanceId: string };
  'attempt.ended': AttemptRecord & { readonly service: string };
  /** A call would have been retried, but the retry budget is used up. */
  'retry.refused': { readonly service: string; readonly attempts: number };
  /** A call, or its retry, was turned away, for as many wait as may: nothing was sent for it. */
  'call.rejected': { readonly service: string; readonly queued: number };
}

export type EventName = keyof FairleadEvents;
export type Listener<Name extends EventName> = (event: FairleadEvents[Name]) => void;

const NAMES: readonly EventName[] = [
  'instances.changed',
  'instances.held',
  'instances.restored',
  'discovery.fault',
  'discovery.stale',
  'discovery.refused',
  'discovery.recovered',
  'instance.drained',
  'health.changed',
  'panic.started',
  'panic.ended',
  'breaker.held',
  'breaker.opened',
  'breaker.half-opened',
  'breaker.closed',
  'attempt.ended',
  'retry.refused',
  'call.rejected',
];

/** The events of one client, on the channels `fairlead:` and the event's name. */
export class Events extends Emitter<FairleadEvents> {
  constructor() {
    super(NAMES, 'fairlead:');
  }
}
