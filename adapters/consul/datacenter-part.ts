import { FairleadError, show } from '../../src/errors.js';
import type { DiscoveryFault, Snapshot, SourceStanding, WatchContext } from '../../src/types.js';
import type { DatacenterView } from './merged-snapshot.js';
import type { ConsulSettings } from './options.js';
import type { watchDatacenter } from './watch.js';

export interface PartSettings {
  readonly service: string;
  readonly datacenter: string | undefined;
  readonly settings: ConsulSettings;
  readonly watch: typeof watchDatacenter;
  /** Of the whole; its signal ends the part. */
  readonly context: WatchContext;
  /** The preferred datacenter speaks for the whole; the faults of the others have no effect. */
  readonly leads: boolean;
  /** Its list of a watch that ended just now. */
  readonly remembered: Snapshot | undefined;
  /**
   * `list`: it has changed, or is known not to come for now. `confirmation`: the preferred datacenter has confirmed its
   * own; what the others confirm is told with that.
   */
  readonly onNews: (news: 'list' | 'confirmation') => void;
}

/** Pause before a watch that broke is begun anew, as the core has it: equal jitter under a ceiling that doubles. */
const FIRST_CEILING_MS = 1_000;
const LAST_CEILING_MS = 30_000;

/** What a list of an earlier run knows of a datacenter that has not been heard yet is kept for so long. */
const AWAITED_MS = 600_000;

/** One datacenter of several: watched by itself, whatever becomes of the others. */
export class DatacenterPart implements DatacenterView {
  readonly name: string;
  readonly label: string;
  snapshot: Snapshot | undefined;
  trouble: string | undefined;
  stale: string | undefined;
  /** What it last said of itself. */
  details: SourceStanding['details'];

  readonly #awaitedUntilMs: number;

  constructor(private readonly part: PartSettings) {
    const { context, datacenter } = part;
    this.#awaitedUntilMs = context.clock.now() + AWAITED_MS;
    this.name = datacenter ?? 'own';
    this.label =
      datacenter === undefined ? "the agent's own datacenter" : `datacenter ${show(datacenter)}`;
  }

  get remembered(): Snapshot | undefined {
    return this.part.remembered;
  }

  /** True for as long as nothing is known of it, and it may yet be heard of. */
  get isAwaited(): boolean {
    const isUnknown = (this.snapshot ?? this.remembered) === undefined;
    return isUnknown && this.part.context.clock.now() < this.#awaitedUntilMs;
  }

  /** Watches until the signal aborts. Resolves in any case. */
  async run(): Promise<void> {
    const { service, datacenter, settings, watch, context } = this.part;
    const { signal, rng } = context;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        let snapshots = 0;
        for await (const snapshot of watch(service, datacenter, settings, this.#context())) {
          // One does not make a watch healthy: it may yield one and break, each time.
          if (++snapshots > 1) failures = 0;
          this.snapshot = snapshot;
          this.#heard(snapshot.stale);
          this.part.onNews('list');
        }
        throw new FairleadError('ERR_FAIRLEAD_DISCOVERY', 'the watch ended by itself');
      } catch (cause) {
        if (isAborted(signal)) return;
        const why = cause instanceof Error ? cause.message : show(cause);
        this.#report({ message: `In ${this.label}: ${why}`, effect: 'stale', cause });
        const ceilingMs = Math.min(LAST_CEILING_MS, FIRST_CEILING_MS * 2 ** failures);
        const pauseMs = ceilingMs / 2 + rng.next() * (ceilingMs / 2);
        await context.sleep(pauseMs).catch(() => undefined); // aborted
      }
    }
  }

  #context(): WatchContext {
    const { context, leads, onNews } = this.part;
    const { signal, clock, rng } = context;
    return {
      signal,
      clock,
      rng,
      sleep: (ms) => context.sleep(ms),
      report: (fault) => {
        this.#report(fault);
      },
      confirm: ({ stale, details } = {}) => {
        this.details = details;
        this.#heard(stale);
        if (leads) onNews('confirmation');
      },
    };
  }

  #heard(stale: string | undefined): void {
    this.trouble = undefined;
    this.stale = stale;
  }

  #report(fault: DiscoveryFault): void {
    const { context, leads, onNews } = this.part;
    const { effect = 'none', message, cause } = fault;
    context.report({ ...fault, effect: leads ? effect : 'none' });
    if (effect === 'none') return;
    const isFirstWord = this.trouble === undefined && this.snapshot === undefined;
    this.trouble = cause instanceof Error ? cause.message : message;
    if (isFirstWord) onNews('list');
  }
}

/** Asked anew: what was true before an await may not be so after it. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
