import type { InstanceSpec, Snapshot, SnapshotCaveats } from '../../src/types.js';

/** What is known of one datacenter. */
export interface DatacenterView {
  /** How messages name it: `datacenter "dc2"`. */
  readonly label: string;
  /** Its newest list; it outlives every fault. */
  readonly snapshot: Snapshot | undefined;
  /** That of a watch that ended just now, while there is none of this one. */
  readonly remembered: Snapshot | undefined;
  /** No complete list of it is known, and one may yet come. */
  readonly isAwaited: boolean;
  /** Why nothing newer can be had; `undefined` while all is well. */
  readonly trouble: string | undefined;
  /** Why what it says may be old, by its own word. */
  readonly stale: string | undefined;
}

/** Room for the priorities of one datacenter. */
const PRIORITIES = 1_000;

export interface Merged {
  readonly snapshot: Snapshot;
  /** Ids that were listed before, by another datacenter: left out. */
  readonly repeated: readonly string[];
}

/**
 * One list of all datacenters, the first of them preferred: its instances keep their priorities up to 999; those of each
 * further one are 1,000 more.
 *
 * @param views the preferred datacenter first.
 * @returns `undefined` while it is too early to say anything: the first has to be heard; and where no instance is known,
 *   all of them.
 */
export function mergeDatacenters(views: readonly DatacenterView[]): Merged | undefined {
  const [first] = views;
  if (first === undefined || !isHeard(first)) return undefined;
  const instances = new Map<unknown, InstanceSpec>();
  const repeated: string[] = [];
  for (const [rank, view] of views.entries()) {
    const snapshot = view.snapshot ?? view.remembered;
    for (const instance of snapshot?.kind === 'instances' ? snapshot.instances : []) {
      const { id } = instance;
      if (id !== undefined && instances.has(id)) repeated.push(id);
      else instances.set(id ?? instance, ranked(instance, rank));
    }
  }
  if (instances.size === 0 && !views.every(isHeard)) return undefined;
  return { snapshot: toSnapshot(views, [...instances.values()]), repeated };
}

function toSnapshot(
  views: readonly DatacenterView[],
  instances: readonly InstanceSpec[],
): Snapshot {
  const caveats = caveatsOf(views);
  if (views.every(({ snapshot }) => snapshot?.kind === 'not-found')) {
    return { kind: 'not-found', ...caveats };
  }
  const version = views
    .map(({ snapshot }) => (snapshot?.kind === 'instances' ? snapshot.version : undefined) ?? '-')
    .join(' ');
  return { kind: 'instances', instances, version, ...caveats };
}

/** Answered, or failed. */
function isHeard({ snapshot, trouble }: DatacenterView): boolean {
  return snapshot !== undefined || trouble !== undefined;
}

function ranked(instance: InstanceSpec, rank: number): InstanceSpec {
  const { priority = 0 } = instance;
  if (rank === 0 && priority < PRIORITIES) return instance;
  return { ...instance, priority: Math.min(priority, PRIORITIES - 1) + PRIORITIES * rank };
}

/** Only the preferred datacenter's trouble makes the whole old: the others are there in case. */
function caveatsOf(views: readonly DatacenterView[]): SnapshotCaveats {
  const [first] = views;
  const words = (of: (view: DatacenterView) => string | undefined): string | undefined => {
    const all = views.flatMap((view) => {
      const found = of(view);
      return found === undefined ? [] : [`${view.label}: ${found}`];
    });
    return all.length === 0 ? undefined : all.join('; ');
  };
  const stale = words((view) => (view === first ? (view.trouble ?? view.stale) : undefined));
  // What was known of it before this watch began must not go because another datacenter has answered.
  const incomplete = words((view) =>
    view === first && view.isAwaited
      ? (view.snapshot?.incomplete ?? 'nothing is known of it yet')
      : undefined,
  );
  return {
    ...(stale === undefined ? {} : { stale }),
    ...(incomplete === undefined ? {} : { incomplete }),
  };
}
