import { hash32 } from '../hash.js';
import type { CallContext, Candidate, Picker, Policy } from '../types.js';
import { checkKeys, checkMs, checkNumber } from '../validate.js';
import { type BalanceOptions, checkBalance, type Choose, chooser, keylessPick } from './hashing.js';
import { keyedList } from './keyed-list.js';
import { rendezvousOrder } from './rendezvous.js';
import { Sessions } from './sessions.js';

/**
 * `balanceFactor` bounds where sessions are placed and where single attempts turn aside to. A session that has its
 * instance keeps it however busy that is: what it holds there is worth more than an even load.
 */
export interface StickyOptions extends BalanceOptions {
  /** Sessions remembered, an integer from 1 to 10,000,000; beyond, the longest unused is forgotten. Default: 10,000. */
  readonly maxSessions?: number | undefined;
  /** A session unused for so long, in ms, is forgotten. Default: 1,800,000 (30 minutes). */
  readonly idleMs?: number | undefined;
}

/**
 * Sticky sessions: a session, named by the `hashKey` of its calls, stays at its instance while that is a candidate,
 * whatever joins. A new session, a forgotten one, and one whose instance has gone are placed by rendezvous, so
 * processes that know nothing of each other agree while no instance comes or goes. A retry that may not go to the
 * session's instance goes to the next of rendezvous, and the session stays where it was.
 */
export function sticky(options: StickyOptions = {}): Policy {
  checkKeys('sticky', options, ['maxSessions', 'idleMs', 'balanceFactor']);
  const maxSessions = checkNumber('sticky.maxSessions', options.maxSessions ?? 10_000, {
    min: 1,
    max: 10_000_000,
    integer: true,
  });
  const idleMs = checkMs('sticky.idleMs', options.idleMs ?? 1_800_000);
  const balanceFactor = checkBalance('sticky.balanceFactor', options.balanceFactor);
  return {
    name: 'sticky',
    keyed: true,
    build(given, { rng }, previous) {
      const list = keyedList(given);
      const { candidates } = list;
      const choose = chooser(list, rendezvousOrder(list), balanceFactor);
      const sessions =
        previous instanceof StickyPicker ? previous.sessions : new Sessions(maxSessions, idleMs);
      return new StickyPicker(candidates, choose, keylessPick('sticky', candidates, rng), sessions);
    },
  };
}

const NONE: ReadonlySet<string> = new Set();

class StickyPicker implements Picker {
  readonly #byId: ReadonlyMap<string, Candidate>;

  constructor(
    candidates: readonly Candidate[],
    private readonly choose: Choose,
    private readonly keyless: (context: CallContext) => Candidate | undefined,
    readonly sessions: Sessions,
  ) {
    this.#byId = new Map(candidates.map((candidate) => [candidate.instance.id, candidate]));
  }

  pick(context: CallContext): Candidate | undefined {
    const { hashKey, excluded, inFlight } = context;
    if (hashKey === undefined) return this.keyless(context);
    const home = this.#homeOf(hashKey, context);
    if (home === undefined || !excluded.has(home.instance.id)) return home;
    return this.choose(hash32(hashKey), excluded, inFlight);
  }

  keeps(hashKey: string): boolean {
    return this.#byId.has(this.sessions.at(hashKey) ?? '');
  }

  /** Where the session is, placed now if need be. What this attempt excludes plays no part in that. */
  #homeOf(
    hashKey: string,
    { inFlight, nowMs, passing, excluded }: CallContext,
  ): Candidate | undefined {
    const bound = this.#byId.get(this.sessions.use(hashKey, nowMs) ?? '');
    if (bound !== undefined) return bound;
    const home = this.choose(hash32(hashKey), NONE, inFlight);
    if (home !== undefined && !passing && !excluded.has(home.instance.id))
      this.sessions.bind(hashKey, home.instance.id, nowMs);
    return home;
  }
}
