import type { Instance, Snapshot, SourceStanding } from '../../src/types.js';
import { AclGuard, type Verdict } from './acl-guard.js';
import type { AppraisalMemory } from './appraisal-memory.js';
import { readEntries } from './entries.js';
import { fingerprintOf, lineOf } from './fingerprint.js';
import { whyStale } from './freshness.js';
import type { HealthReply } from './read.js';
import { nextIndex } from './reply.js';
import type { Reports } from './reports.js';
import { askForRights } from './rights.js';
import type { Seat } from './seat.js';
import { canPark, type Session } from './session.js';

/** What a good reply comes to. */
export interface Appraisal {
  readonly snapshot: Snapshot;
  /** The same for two lists just if the second need not be published. */
  readonly content: string;
  readonly standing: SourceStanding;
}

/** Makes lists of replies: reads their entries, doubts them, and says where they come from. */
export class Appraiser {
  readonly #guard: AclGuard;
  /** The instances of the last list and what was kept beside them, by id. */
  #seen: ReadonlyMap<string, Instance>;

  constructor(
    private readonly session: Session,
    private readonly reports: Reports,
    before?: AppraisalMemory,
  ) {
    const { plan } = session.settings;
    const service = plan.emptyMeans === 'not-found' ? session.service : undefined;
    this.#guard = new AclGuard(service, before?.places);
    this.#seen = before?.instances ?? new Map<string, Instance>();
  }

  get memory(): AppraisalMemory {
    return { places: this.#guard.known, instances: this.#seen };
  }

  /** `undefined`: of its entries none can be used, which says as little about the instances as a failed read. */
  async appraise(reply: HealthReply, seat: Seat): Promise<Appraisal | undefined> {
    const { context, ladder, settings } = this.session;
    const { label } = seat.hub;
    const list = await readEntries(reply.entries, settings.rules, context.signal);
    const { instances, bad } = list;
    this.reports.left(label, bad, instances.length);
    this.reports.indexed(label, reply.index > 0 || !settings.plan.blocks);
    if (reply.index > 0 && reply.index < seat.lastIndex) {
      this.reports.wentBack(label, seat.lastIndex, reply.index);
    }
    const verdict = await this.#judge(reply, seat);
    this.reports.incomplete(label, verdict.kind === 'whole' ? undefined : verdict.why);
    this.session.isIncomplete = verdict.kind !== 'whole';
    if (this.#guard.isUnsure) this.session.refresh.wanted = true;
    if (instances.length === 0 && bad.length > 0) return undefined;

    const kept = this.#keep(instances, verdict);
    const hidden = verdict.kind === 'unreadable' ? kept : [];
    const incomplete = verdict.kind === 'incomplete' ? verdict.why : undefined;
    const stale = join(whyStale(reply.freshness, ladder), whyHidden(verdict, hidden.length));
    const caveats = { stale, incomplete };
    const isKnown =
      reply.entries.length > 0 ||
      verdict.kind === 'unreadable' ||
      settings.plan.emptyMeans === 'no-instances';
    const content = [list.fingerprint, ...(hidden.length === 0 ? [] : [fingerprint(hidden)])];
    return {
      snapshot: isKnown
        ? {
            kind: 'instances',
            instances: hidden.length === 0 ? instances : [...instances, ...hidden],
            version: String(reply.index),
            ...caveats,
          }
        : { kind: 'not-found', ...caveats },
      content: `${isKnown ? content.join(' ') : 'not-found'} ${incomplete ?? ''}`,
      standing: { stale, details: this.#details(reply, seat, bad.length) },
    };
  }

  /** Where there are no ACLs nothing can be missing. */
  async #judge(reply: HealthReply, seat: Seat): Promise<Verdict> {
    if (seat.hub.hasNoAcls) return { kind: 'whole' };
    const nowMs = this.session.context.clock.now();
    const ask = askForRights(seat, this.session);
    return this.#guard.judge(reply.entries, reply.filtered, nowMs, ask);
  }

  /** The instances that are not listed but not to go, as they were last seen. Those of an incomplete list the core has. */
  #keep(instances: readonly Instance[], verdict: Verdict): readonly Instance[] {
    const seen = new Map(instances.map((instance) => [instance.id, instance]));
    const kept: Instance[] = [];
    for (const id of verdict.kind === 'whole' ? [] : verdict.kept) {
      const instance = this.#seen.get(id);
      if (instance === undefined || seen.has(id)) continue;
      seen.set(id, instance);
      kept.push(instance);
    }
    this.#seen = seen;
    return kept;
  }

  #details(reply: HealthReply, seat: Seat, dropped: number): SourceStanding['details'] {
    const { datacenter, ladder } = this.session;
    const { knownLeader, lastContactMs } = reply.freshness;
    return {
      agent: seat.hub.label,
      ...(datacenter === undefined ? {} : { datacenter }),
      index: reply.index,
      consistency: ladder.consistency,
      knownLeader,
      lastContactMs,
      parked: canPark(this.session) && seat.hasSlot && nextIndex(seat.index, reply.index) > 0,
      entries: reply.entries.length,
      dropped,
    };
  }
}

function whyHidden(verdict: Verdict, count: number): string | undefined {
  if (verdict.kind !== 'unreadable') return undefined;
  return `${verdict.why}: the instances there are as they were last seen (${String(count)})`;
}

function join(...reasons: readonly (string | undefined)[]): string | undefined {
  return reasons.filter((reason) => reason !== undefined).join('; ') || undefined;
}

function fingerprint(instances: readonly Instance[]): string {
  return fingerprintOf(instances.map(lineOf));
}
