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

/** So long a collapse is a doubt of the core's: its default grace, and time to spare. */
const DOUBTED_MS = 60_000;

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
  /** Whether a complete list of it is known, however old. */
  #isKnown: boolean;
  #wasAwaited = true;
  /** Why its newest list lacks instances. */
  #incomplete: string | undefined;
  /** The list before it collapsed just now. */
  #before: { readonly snapshot: Snapshot; readonly atMs: number } | undefined;

  constructor(private readonly part: PartSettings) {
    const { context, datacenter } = part;
    const { remembered } = part;
    this.#awaitedUntilMs = context.clock.now() + AWAITED_MS;
    this.#isKnown = remembered !== undefined && remembered.incomplete === undefined;
    this.name = datacenter ?? 'own';
    this.label =
      datacenter === undefined ? "the agent's own datacenter" : `datacenter ${show(datacenter)}`;
  }

  get remembered(): Snapshot | undefined {
    return this.part.remembered;
  }

  /**
   * What a watch that begins anew is to go on with. Not a list that has just collapsed: the core begins anew to have that
   * read a second time, and what is remembered is no reading.
   */
  get toRemember(): Snapshot | undefined {
    const { clock } = this.part.context;
    const isRecent = this.#before !== undefined && clock.now() - this.#before.atMs < DOUBTED_MS;
    return (isRecent ? this.#before?.snapshot : undefined) ?? this.snapshot ?? this.remembered;
  }

  /** True for as long as no complete list of it is known, and one may yet come. */
  get isAwaited(): boolean {
    return !this.#isKnown && this.part.context.clock.now() < this.#awaitedUntilMs;
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
          this.#take(snapshot);
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
        if (leads && this.#isGivenUp()) onNews('list');
        if (leads) onNews('confirmation');
      },
    };
  }

  /** True once, when it is awaited no more: what was kept for its sake may go. */
  #isGivenUp(): boolean {
    const was = this.#wasAwaited;
    this.#wasAwaited = this.isAwaited;
    return was && !this.#wasAwaited;
  }

  /** What an incomplete list leaves out is kept here: the core would keep what is gone from the others, too. */
  #take(snapshot: Snapshot): void {
    const { stale, incomplete } = snapshot;
    const known = this.snapshot ?? this.remembered;
    this.#noteCollapse(snapshot);
    this.snapshot = incomplete === undefined ? snapshot : completed(snapshot, known);
    this.#isKnown ||= incomplete === undefined;
    this.#incomplete = incomplete;
    this.#heard(stale);
  }

  #noteCollapse(next: Snapshot): void {
    const from = this.#before?.snapshot ?? this.snapshot;
    if (from === undefined || sizeOf(next) >= sizeOf(from) / 2) this.#before = undefined;
    else this.#before ??= { snapshot: from, atMs: this.part.context.clock.now() };
  }

  #heard(stale: string | undefined): void {
    this.trouble = undefined;
    this.stale =
      [stale, this.#incomplete].filter((why) => why !== undefined).join('; ') || undefined;
  }

  #report(fault: DiscoveryFault): void {
    const { context, leads, onNews } = this.part;
    const { effect = 'none', message, cause } = fault;
    context.report({ ...fault, effect: leads ? effect : 'none' });
    if (effect === 'none') return;
    const isFirstWord = this.trouble === undefined && this.snapshot === undefined;
    this.trouble = cause instanceof Error ? cause.message : message;
    if (isFirstWord || (leads && this.#isGivenUp())) onNews('list');
  }
}

/** A list with what another has beside it. */
function completed(snapshot: Snapshot, known: Snapshot | undefined): Snapshot {
  const listed = snapshot.kind === 'instances' ? snapshot.instances : [];
  const ids = new Set(listed.map(({ id }) => id));
  const before = known?.kind === 'instances' ? known.instances : [];
  const kept = before.filter(({ id }) => id !== undefined && !ids.has(id));
  return kept.length === 0
    ? snapshot
    : { ...snapshot, kind: 'instances', instances: [...listed, ...kept] };
}

function sizeOf(snapshot: Snapshot): number {
  return snapshot.kind === 'instances' ? snapshot.instances.length : 0;
}

/** Asked anew: what was true before an await may not be so after it. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
