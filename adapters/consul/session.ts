import type { WatchContext } from '../../src/types.js';
import type { AgentHub } from './agent-hub.js';
import type { Ladder } from './ladder.js';
import type { ConsulSettings } from './options.js';
import type { RefreshListener } from './refresh.js';
import type { Route } from './route.js';
import type { Secrets } from './secrets.js';
import type { SendContext } from './send.js';
import type { Waiting } from './waiting.js';

/** What the reads of one watch share. */
export interface Session {
  readonly service: string;
  readonly datacenter: string | undefined;
  readonly settings: ConsulSettings;
  readonly context: Pick<WatchContext, 'clock' | 'signal'>;
  readonly route: Route;
  readonly ladder: Ladder;
  readonly refresh: RefreshListener;
  readonly waiting: Waiting;
  readonly secrets: Secrets;
  /** The newest list may lack instances, for rights are missing. */
  isIncomplete: boolean;
  /** Agents that were found to understand what is asked for. */
  readonly able: WeakSet<AgentHub>;
}

/** Whether reads can wait for a change at all; those that cannot need no slot. */
export function canPark({ settings, ladder }: Pick<Session, 'settings' | 'ladder'>): boolean {
  return settings.plan.blocks && ladder.consistency !== 'cached';
}

/** The part of every query that names the datacenter. */
export function inDatacenter(datacenter: string | undefined): Readonly<Record<string, string>> {
  return datacenter === undefined ? {} : { dc: datacenter };
}

/** What every request of the watch is sent with. */
export function sending({ context, secrets, settings }: Session): SendContext {
  const { clock, signal } = context;
  return { settings, secrets, signal, clock };
}
