import type { Clock } from '../../src/types.js';
import type { AgentSettings, AgentSource } from './agent-options.js';
import { type Connection, connect, labelOf } from './connection.js';
import { ConnectionPool } from './connection-pool.js';
import { type AgentNews, Liveness, type ProbeResult } from './liveness.js';
import { Parking } from './parking.js';
import { createSecrets } from './secrets.js';
import { sendWhole } from './send.js';

const PLAIN_SOCKETS = 8;
const PROBE_EVERY_MS = 5_000;
const PROBE_MS = 2_000;
/** A probe that is over later than this was held up by this process. */
const LATE_MS = 1_000;

export interface HubMember {
  onNews(news: AgentNews): void;
}

/**
 * What all watches of one agent share in this process: how many queries are parked there, a few sockets for reads that
 * do not block, and what a probe says of the agent. Never more than the parked queries, those few, and the probe's one.
 */
export class AgentHub {
  /** How messages name the agent; free of credentials. */
  readonly label: string;
  /** For reads that do not block: of watches without a slot, and beside a query that is parked. */
  readonly plain: ConnectionPool;
  readonly liveness = new Liveness();
  /** The agent said that it has no ACLs: no right can be missing. */
  hasNoAcls = false;
  readonly #members = new Set<HubMember>();
  readonly #end = new AbortController();
  readonly #clock: Clock;
  readonly #onEmpty: () => void;

  /**
   * @param clock its timers must not keep the process alive.
   * @param onEmpty called when the last member has left, and all is closed.
   */
  constructor(
    readonly source: AgentSource,
    readonly parking: Parking,
    clock: Clock,
    onEmpty: () => void,
  ) {
    this.#clock = clock;
    this.#onEmpty = onEmpty;
    this.label = labelOf(source);
    this.plain = new ConnectionPool(source, PLAIN_SOCKETS, clock);
    this.#probe().catch(() => undefined); // the end
  }

  join(member: HubMember): void {
    this.#members.add(member);
  }

  leave(member: HubMember): void {
    if (!this.#members.delete(member) || this.#members.size > 0) return;
    this.#end.abort(new Error('nobody uses the agent any more'));
    this.plain.close();
    this.#onEmpty();
  }

  /** Over a socket of its own, which no parked query and no crowd of reads can keep busy. */
  async #probe(): Promise<void> {
    const { signal } = this.#end;
    let connection: Connection | undefined;
    try {
      await this.#clock.sleep(PROBE_EVERY_MS, signal);
      for (;;) {
        const startMs = this.#clock.now();
        let result: ProbeResult | undefined;
        try {
          connection ??= await connect(this.source);
          result = await this.#askForLeader(connection);
        } catch {
          signal.throwIfAborted();
          connection?.close(); // another may read newer certificates
          connection = undefined;
          if (this.#clock.now() - startMs < PROBE_MS + LATE_MS) result = 'missed';
        }
        if (result !== undefined) this.#tell(this.liveness.probed(result));
        await this.#clock.sleep(startMs + PROBE_EVERY_MS - this.#clock.now(), signal);
      }
    } finally {
      connection?.close();
    }
  }

  #tell(news: readonly AgentNews[]): void {
    for (const one of news) {
      for (const member of [...this.#members]) member.onNews(one);
    }
  }

  async #askForLeader(connection: Connection): Promise<ProbeResult> {
    const { status, body } = await sendWhole(
      { path: '/status/leader', deadlineMs: PROBE_MS },
      connection,
      {
        settings: { token: undefined },
        secrets: createSecrets([]),
        signal: this.#end.signal,
        clock: this.#clock,
      },
    );
    return status === 200 && /"[^"]+"/.test(body.toString('utf8')) ? 'good' : 'poor';
  }
}

interface Entry {
  readonly parking: Parking;
  hub: AgentHub | undefined;
}

/**
 * The one registry of the whole process: Consul counts connections per client address, so all watches of all adapters
 * have to share what they park at an agent.
 */
const registry = new WeakMap<Clock, Map<unknown, Entry>>();

/** The hub of an agent, made when it is first asked for; it goes when the last member leaves. */
export function joinHub({ source }: AgentSettings, clock: Clock, member: HubMember): AgentHub {
  const entries = registry.get(clock) ?? new Map<unknown, Entry>();
  registry.set(clock, entries);
  forgetOld(entries, clock.now());
  const key = 'client' in source ? source.client : JSON.stringify([source.url.href, source.tls]);
  const entry: Entry = entries.get(key) ?? { parking: new Parking(), hub: undefined };
  entries.set(key, entry);
  entry.hub ??= new AgentHub(source, entry.parking, clock, () => {
    entry.hub = undefined;
    forgetOld(entries, clock.now());
  });
  entry.hub.join(member);
  return entry.hub;
}

/** What was given up at an agent outlives the hub, for the agent has not noticed. */
function forgetOld(entries: Map<unknown, Entry>, nowMs: number): void {
  for (const [key, { hub, parking }] of entries) {
    if (hub === undefined && parking.isEmpty(nowMs)) entries.delete(key);
  }
}
