import { abortable, allowManyListeners } from '../../src/abortable.js';
import type { Snapshot, WatchContext } from '../../src/types.js';
import { checkString } from '../../src/validate.js';
import { Bell } from './bell.js';
import { DatacenterPart } from './datacenter-part.js';
import { mergeDatacenters } from './merged-snapshot.js';
import { mergeStandings } from './merged-standing.js';
import type { ConsulSettings } from './options.js';
import { Recent } from './recent.js';
import { watchDatacenter } from './watch.js';

/**
 * Watches a service in all datacenters of the settings, the first of them preferred. Of several it yields one list: as
 * soon as the first has answered or failed, and on every change of any of them. What is known of a datacenter is kept
 * while it cannot be read.
 *
 * @param watch of one datacenter.
 * @param remembered the last lists of watches that ended, by datacenter.
 */
export function watchDatacenters(
  service: string,
  settings: ConsulSettings,
  context: WatchContext,
  watch: typeof watchDatacenter = watchDatacenter,
  remembered = new Recent<Snapshot>(),
): AsyncIterable<Snapshot> {
  const [first, ...others] = settings.datacenters;
  return others.length === 0
    ? watch(service, first, settings, context)
    : watchSeveral(service, settings, context, remembered, watch);
}

async function* watchSeveral(
  service: string,
  settings: ConsulSettings,
  context: WatchContext,
  remembered: Recent<Snapshot>,
  watch: typeof watchDatacenter,
): AsyncGenerator<Snapshot, void, undefined> {
  checkString('service', service);
  if (context.signal.aborted) return;
  const bell = new Bell();
  const ending = new AbortController();
  const due = { list: false, confirmation: false };
  const shared = contextWithin(context, ending.signal);
  const parts = settings.datacenters.map(
    (datacenter, rank) =>
      new DatacenterPart({
        service,
        datacenter,
        settings,
        watch,
        context: shared,
        leads: rank === 0,
        remembered: remembered.recall(keyOf(service, rank), context.clock.now()),
        onNews: (news) => {
          due[news] = true;
          bell.ring();
        },
      }),
  );
  // Whoever stops reading ends the parts, too. The watch that follows may begin at once: it finds what they knew.
  const end = (): void => {
    if (ending.signal.aborted) return;
    for (const [rank, { toRemember }] of parts.entries()) {
      if (toRemember !== undefined)
        remembered.keep(keyOf(service, rank), toRemember, context.clock.now());
    }
    ending.abort(context.signal.reason ?? new Error('nobody watches any more'));
    bell.ring();
  };
  context.signal.addEventListener('abort', end, { once: true });
  const running = parts.map((part) => part.run());
  const tellRepeated = repeatedTeller(parts, context);
  let hasYielded = false;
  try {
    for (;;) {
      await bell.rung();
      if (ending.signal.aborted) return;
      const merged = due.list ? mergeDatacenters(parts) : undefined;
      due.list = false;
      if (merged !== undefined) {
        tellRepeated(merged.repeated);
        hasYielded = true;
        yield merged.snapshot;
      }
      // A list is confirmed after it was given, not before.
      if (!due.confirmation || !hasYielded) continue;
      due.confirmation = false;
      context.confirm(mergeStandings(parts));
    }
  } finally {
    context.signal.removeEventListener('abort', end);
    end();
    await Promise.all(running);
  }
}

function keyOf(service: string, rank: number): string {
  return `${String(rank)} ${service}`;
}

/** The context of a part: all ends with `signal`. */
function contextWithin(context: WatchContext, signal: AbortSignal): WatchContext {
  allowManyListeners(signal);
  return {
    signal,
    clock: context.clock,
    rng: context.rng,
    sleep: (ms) => abortable(context.sleep(ms), signal),
    report: (fault) => {
      context.report(fault);
    },
    confirm: (standing) => {
      context.confirm(standing);
    },
  };
}

/** Says once that a datacenter is read twice: being the agent's own, and named as a failover. */
function repeatedTeller(
  parts: readonly DatacenterPart[],
  context: Pick<WatchContext, 'report'>,
): (repeated: readonly string[]) => void {
  let told = false;
  return (repeated) => {
    const [id] = repeated;
    if (id === undefined || told) return;
    told = true;
    const labels = parts.map(({ label }) => label).join(', ');
    context.report({
      message: `Instances are listed by more than one of ${labels}; each is used once. Are two of them the same?`,
      field: 'failover',
      value: id,
    });
  };
}
