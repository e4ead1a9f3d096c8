import { show } from '../../src/errors.js';
import { type Place, type Places, placesOf } from './entry-places.js';

/** A right to read that a list needs; as Consul's `/internal/acl/authorize` takes it. */
export interface ReadRight {
  readonly Resource: 'service' | 'node';
  readonly Access: 'read';
  readonly Segment: string;
}

/** What the agent says of rights: whether each is held, in the order asked; `undefined` when it does not say. */
export type AskForRights = (
  rights: readonly ReadRight[],
) => Promise<readonly boolean[] | undefined>;

/** What becomes of the entries that a list lacks. */
export type Verdict =
  /** They are gone. */
  | { readonly kind: 'whole' }
  /**
   * `incomplete`: any may be missing, known or not. `unreadable`: those in `kept` are on nodes, or of services, that the
   * token may not read; the others are gone.
   */
  | {
      readonly kind: 'incomplete' | 'unreadable';
      readonly why: string;
      /** Ids of the entries that are not to go. */
      readonly kept: ReadonlySet<string>;
    };

const WHOLE: Verdict = { kind: 'whole' };
const NOTHING: ReadonlySet<string> = new Set();
const SAYS_THE_AGENT = 'the token may not read all of it, says the agent';
/** What is beyond that is not asked about: where one of these is denied, it counts as denied, too. */
const ASKED_ABOUT = 256;
const ASK_AGAIN_MS = 9_000;
const NAMED = 3;

/**
 * Finds out whether a list lacks what the token may not read: Consul leaves that out of a 200, without a word before
 * 1.11. A list that is empty, or lacks what was known, is doubted; the agent, when asked, says which service or node
 * the token may not read. Asked once per change, and every 9 s at most while rights are missing: those may come back
 * without any change to the list.
 */
export class AclGuard {
  /** The last list, and what was kept beside it. */
  #known: Places;
  #last: Places | undefined;
  #verdict: Verdict = WHOLE;
  /** Kept for one list more: the rights to them are there again. */
  #lifted = NOTHING;
  #isUnsure = false;
  #askedAtMs = -Infinity;
  #wasFiltered = false;
  #sawHeader = false;
  #sawEntries: boolean;

  /**
   * @param service what is read; `undefined` when that is a prepared query, whose name is not that of a service.
   * @param known of a watch before this one.
   */
  constructor(
    private readonly service: string | undefined,
    known: Places = new Map(),
  ) {
    this.#known = known;
    this.#sawEntries = known.size > 0;
  }

  get known(): Places {
    return this.#known;
  }

  /** True when rights are there again, says the agent, but the list judged last may be from before. */
  get isUnsure(): boolean {
    return this.#isUnsure;
  }

  /**
   * Judges a list.
   *
   * @param filtered whether the reply says itself that something was left out; `undefined` when it cannot tell.
   */
  async judge(
    entries: readonly unknown[],
    filtered: boolean | undefined,
    nowMs: number,
    ask: AskForRights,
  ): Promise<Verdict> {
    const places = placesOf(entries);
    const missing = new Map([...this.#known].filter(([id]) => !places.has(id)));
    const isBeyondDoubt =
      (missing.size === 0 && places.size > 0) || (this.#sawHeader && filtered === false);
    const headerIsNew = filtered === true && !this.#wasFiltered;
    const isNew = this.#last === undefined || !hasSameKeys(this.#last, places);
    const isDueAgain = this.#verdict.kind !== 'whole' && nowMs - this.#askedAtMs >= ASK_AGAIN_MS;
    this.#sawEntries ||= places.size > 0;

    if (isBeyondDoubt) this.#settle(WHOLE);
    else if (isNew || headerIsNew || this.#isUnsure || isDueAgain) {
      this.#askedAtMs = nowMs;
      const rights = this.#rightsTo(missing);
      const asked = rights.slice(0, ASKED_ABOUT);
      const held = asked.length === 0 ? [] : await ask(asked);
      if (held === undefined) this.#goWithoutAnswer(missing, filtered === true);
      else {
        const denied = asked.filter((_, i) => held[i] === false);
        const beyond = denied.length === 0 ? [] : rights.slice(ASKED_ABOUT);
        this.#hear(denied, beyond, missing, filtered === true, headerIsNew);
      }
    }
    this.#sawHeader ||= filtered === true;
    this.#wasFiltered = filtered === true;
    this.#last = places;
    const kept = keptBy(this.#verdict);
    this.#known = new Map([...missing].filter(([id]) => kept.has(id)).concat([...places]));
    return this.#verdict;
  }

  /** What was known to be limited, or says so itself, may lack anything. */
  #goWithoutAnswer(missing: Places, isFiltered: boolean): void {
    const before = this.#verdict;
    const kept = idsOf(missing, (id) => !this.#lifted.has(id));
    const isOpen = this.#isUnsure ? kept.size > 0 : before.kind !== 'whole' || isFiltered;
    if (!isOpen) this.#settle(WHOLE);
    else this.#settle({ kind: 'incomplete', why: whyOf(before) ?? SAYS_THE_AGENT, kept });
  }

  #hear(
    denied: readonly ReadRight[],
    beyond: readonly ReadRight[],
    missing: Places,
    isFiltered: boolean,
    headerIsNew: boolean,
  ): void {
    const before = this.#verdict;
    const why = `the token may not read ${inWords(denied)}`;
    const itself = denied.find(
      ({ Resource, Segment }) => Resource === 'service' && Segment === this.service,
    );
    if (itself !== undefined) {
      this.#settle({
        kind: 'incomplete',
        why: `the token may not read ${inWords([itself])}`,
        kept: idsOf(missing),
      });
      return;
    }
    if (isFiltered && !this.#sawEntries) {
      this.#settle({ kind: 'incomplete', why: SAYS_THE_AGENT, kept: NOTHING });
      return;
    }
    const isDenied = among([...denied, ...beyond]);
    const isUnexplained = headerIsNew && denied.length === 0;
    // The list may have been read before the rights came.
    const lifted = idsOf(
      missing,
      (id, place) =>
        !isDenied(place) && !this.#lifted.has(id) && (isUnexplained || keptBy(before).has(id)),
    );
    const isBack = missing.size === 0 && before.kind === 'incomplete' && !this.#isUnsure;
    const kept = idsOf(missing, (id, place) => isDenied(place) || lifted.has(id));
    if (lifted.size === 0 && !isBack) {
      this.#settle(kept.size === 0 ? WHOLE : { kind: 'unreadable', why, kept });
      return;
    }
    // Of an incomplete list nothing goes: it must not be one when something has to.
    const isOpen = before.kind !== 'unreadable' && kept.size === missing.size;
    const kind = isOpen ? 'incomplete' : 'unreadable';
    this.#settle({ kind, why: whyOf(before) ?? SAYS_THE_AGENT, kept });
    [this.#lifted, this.#isUnsure] = [lifted, true];
  }

  #settle(verdict: Verdict): void {
    [this.#verdict, this.#lifted, this.#isUnsure] = [verdict, NOTHING, false];
  }

  /** What has to be held to read what is missing. */
  #rightsTo(missing: Places): readonly ReadRight[] {
    const places = [...missing.values()];
    const services = new Set(places.map(({ service }) => service));
    const itself = this.service === undefined ? [] : [this.service];
    return [
      ...toRead('service', new Set([...itself, ...services])),
      ...toRead('node', new Set(places.map(({ node }) => node))),
    ];
  }
}

function keptBy(verdict: Verdict): ReadonlySet<string> {
  return verdict.kind === 'whole' ? NOTHING : verdict.kept;
}

function whyOf(verdict: Verdict): string | undefined {
  return verdict.kind === 'whole' ? undefined : verdict.why;
}

function toRead(Resource: ReadRight['Resource'], names: ReadonlySet<string>): readonly ReadRight[] {
  return [...names].map((Segment) => ({ Resource, Access: 'read', Segment }));
}

/** Whether a place cannot be read without one of `rights`. */
function among(rights: readonly ReadRight[]): (place: Place) => boolean {
  const of = (kind: ReadRight['Resource']): ReadonlySet<string> =>
    new Set(rights.filter(({ Resource }) => Resource === kind).map(({ Segment }) => Segment));
  const [services, nodes] = [of('service'), of('node')];
  return ({ node, service }) => nodes.has(node) || services.has(service);
}

/** In an order that is the same whenever the rights are. */
function inWords(rights: readonly ReadRight[]): string {
  const names = rights.map(({ Resource, Segment }) => `${Resource} ${show(Segment)}`).sort();
  const more = names.length - NAMED;
  return names.slice(0, NAMED).join(', ') + (more > 0 ? ` and ${String(more)} more` : '');
}

function idsOf(
  places: Places,
  holds: (id: string, place: Place) => boolean = () => true,
): ReadonlySet<string> {
  return new Set([...places].filter(([id, place]) => holds(id, place)).map(([id]) => id));
}

function hasSameKeys(one: Places, other: Places): boolean {
  return one.size === other.size && [...one.keys()].every((key) => other.has(key));
}
