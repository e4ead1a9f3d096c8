import type { ConsulOptions } from '../../adapters/consul.js';
import type { HttpFaults, HttpFaultScope } from '../../src/testing/http-proxy.js';
import type { ConsulCluster } from '../consul-cluster.js';
import type { NpmOptions } from './npm-watcher.js';
import type { Pace } from './request-bound.js';

/** One fault, and what is asked of a watcher that lives through it. */
export interface Scene {
  /** As the table names it. */
  readonly fault: string;
  /** What Fairlead's status must say of it: why the list is not current, or held; else as the last fault it bore. */
  readonly cause: RegExp;
  /** What bounds Fairlead's requests meanwhile. */
  readonly pace: Pace;
  /** How long the fault lasts, before the cure, in ms. `fullMs` where a run by hand takes longer. */
  readonly lastsMs: number;
  readonly fullMs?: number;
  /** The fault is there from the start: no list is known before the cure. Default false. */
  readonly fromStart?: boolean;
  /** Nothing cures it but another configuration. Default false. */
  readonly isForGood?: boolean;
  /** Keeps the processor busy (one of the watchers does): nothing else is measured meanwhile. Default false. */
  readonly runsAlone?: boolean;
  /** In the cluster, which is lent to one scene at a time; else with an agent of its own. */
  readonly open: { readonly agent: OpenWithAgent } | { readonly cluster: OpenInCluster };
}

export type OpenWithAgent = () => Promise<Stage>;
export type OpenInCluster = (cluster: ConsulCluster, service: string) => Promise<Stage>;

/** A scene that is set: a service with instances `a`, `b` and `c`, all alive. */
export interface Stage {
  readonly service: string;
  /** The agent that is read. */
  readonly url: string;
  /** What the watchers are given beside the URL. */
  readonly fairlead: ConsulOptions;
  readonly npm: NpmOptions;
  /** To see the truth with. */
  readonly token?: string | undefined;
  readonly secrets?: readonly string[];
  strike(proxies: Proxies): Promise<void> | void;
  /** Made while the fault lasts, half a second after it struck: `c` goes and `d` comes. */
  change?(): Promise<void>;
  cure(proxies: Proxies): Promise<void> | void;
  close(): Promise<void>;
}

/** One between the agent and each watcher. */
export interface Proxies {
  set(faults?: HttpFaults, scope?: HttpFaultScope): void;
}

export const BEFORE = ['a', 'b', 'c'] as const;
export const AFTER = ['a', 'b', 'd'] as const;
/** Who lives throughout. */
export const LIVING = ['a', 'b'] as const;
