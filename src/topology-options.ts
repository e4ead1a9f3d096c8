/** Options of the stages: which instances come into question, and for which part of the calls. */
import { InvalidOptionError } from './errors.js';
import {
  checkFunction,
  checkKeys,
  checkMsOrZero,
  checkNumber,
  checkRatio,
  checkString,
  isObject,
} from './validate.js';

/** How calls fail over from one priority to the next. */
export interface PriorityOptions {
  /**
   * `'spill'`: active-active with a reserve. A priority that lost part of its capacity hands the next one what it
   * cannot carry. `'strict'`: active-passive. The next one gets nothing until fewer than `minMembers` are available in
   * those before it. Default `'spill'`.
   */
  readonly mode?: 'spill' | 'strict' | undefined;
  /** Instances that must be available before the next priority stays idle, an integer >= 1. Default 1. Only with `'strict'`. */
  readonly minMembers?: number | undefined;
  /**
   * How much more than its share an instance can carry, >= 1: with 1.4 a priority carries all while 1 / 1.4 = 71 % of
   * its capacity is available. Default 1.4. For `'spill'`.
   */
  readonly overprovisioningFactor?: number | undefined;
  /** How long a priority must be better before calls go back to it, in ms >= 0. Default 10,000. */
  readonly holdDownMs?: number | undefined;
  /** How long its share then grows until it is whole, in ms >= 0. Default 30,000. */
  readonly rampMs?: number | undefined;
}

/** Asked for the caller's zone when the client is made; asked again while it fails or knows none. */
export type ZoneSource = (signal: AbortSignal) => string | undefined | Promise<string | undefined>;

/** Prefers instances of the caller's own zone. */
export interface ZoneOptions {
  /** The caller's zone, or where to ask for it. Default: the environment variable `FAIRLEAD_ZONE`. */
  readonly local?: string | ZoneSource | undefined;
  /** Fewer eligible instances than this are not divided by zone, an integer >= 1. Default 6. */
  readonly minInstances?: number | undefined;
  /** Share of the calls that goes to other zones even if the local one could carry all, 0 to 1. Default 0.03. */
  readonly probeRatio?: number | undefined;
  /** Callers (or their traffic) by zone, in any unit, > 0 in total. Default: as many in each zone. */
  readonly callers?: Readonly<Record<string, number>> | undefined;
}

/** Uses only part of a large set, so that not every client holds connections to every instance. */
export interface SubsetOptions {
  /** Instances used of each priority and zone, an integer >= 1. */
  readonly size: number;
  /** Two clients with the same seed use the same subset. Default: random. Not with `index` and `total`. */
  readonly seed?: string | undefined;
  /** Position of this client among `total`, an integer from 0. With it all instances have evenly many clients. */
  readonly index?: number | undefined;
  /** How many clients there are, an integer > `index`. */
  readonly total?: number | undefined;
}

export interface StagesOptions {
  /** Failover by `priority` of the instances, 0 first; `false` ignores it. Default true: `{ mode: 'spill' }`. */
  readonly priority?: PriorityOptions | boolean | undefined;
  /** Own zone first; `true` is `{}`. Default false. */
  readonly zone?: ZoneOptions | boolean | undefined;
  /** Part of a large set only. Default false. */
  readonly subset?: SubsetOptions | false | undefined;
}

export type ResolvedPriority = {
  readonly [Key in keyof PriorityOptions]-?: NonNullable<PriorityOptions[Key]>;
};

export interface ResolvedZone {
  readonly local: string | ZoneSource;
  readonly minInstances: number;
  readonly probeRatio: number;
  readonly callers: Readonly<Record<string, number>> | undefined;
}

export type ResolvedSubset =
  | { readonly size: number; readonly seed: string | undefined }
  | { readonly size: number; readonly index: number; readonly total: number };

/** `StagesOptions`, validated, with every default filled in; `undefined` for a stage that is off. */
export interface ResolvedStages {
  readonly priority: ResolvedPriority | undefined;
  readonly zone: ResolvedZone | undefined;
  readonly subset: ResolvedSubset | undefined;
}

/** Names the variable that tells a process its zone, where no option does. */
const ZONE_VARIABLE = 'FAIRLEAD_ZONE';

/** @throws {InvalidOptionError} naming the first option out of range. */
export function resolveStages(given: StagesOptions = {}): ResolvedStages {
  checkKeys('stages', given, ['priority', 'zone', 'subset']);
  return {
    priority: resolvePriority(given.priority),
    zone: resolveZone(given.zone),
    subset: resolveSubset(given.subset),
  };
}

function resolvePriority(given: StagesOptions['priority'] = true): ResolvedPriority | undefined {
  const options = switched('stages.priority', given);
  if (options === undefined) return undefined;
  const at = 'stages.priority';
  checkKeys(at, options, ['mode', 'minMembers', 'overprovisioningFactor', 'holdDownMs', 'rampMs']);
  const { mode = 'spill' } = options;
  if (!['spill', 'strict'].includes(mode)) {
    throw new InvalidOptionError(`${at}.mode`, "'spill' or 'strict'", mode);
  }
  if (mode !== 'strict' && options.minMembers !== undefined) {
    throw new InvalidOptionError(
      `${at}.minMembers`,
      "absent without mode 'strict'",
      options.minMembers,
    );
  }
  return {
    mode,
    minMembers: checkNumber(`${at}.minMembers`, options.minMembers ?? 1, { min: 1, integer: true }),
    overprovisioningFactor: checkNumber(
      `${at}.overprovisioningFactor`,
      options.overprovisioningFactor ?? 1.4,
      { min: 1 },
    ),
    holdDownMs: checkMsOrZero(`${at}.holdDownMs`, options.holdDownMs ?? 10_000),
    rampMs: checkMsOrZero(`${at}.rampMs`, options.rampMs ?? 30_000),
  };
}

function resolveZone(given: StagesOptions['zone'] = false): ResolvedZone | undefined {
  const options = switched('stages.zone', given);
  if (options === undefined) return undefined;
  const at = 'stages.zone';
  checkKeys(at, options, ['local', 'minInstances', 'probeRatio', 'callers']);
  return {
    local: resolveLocal(options.local),
    minInstances: checkNumber(`${at}.minInstances`, options.minInstances ?? 6, {
      min: 1,
      integer: true,
    }),
    probeRatio: checkRatio(`${at}.probeRatio`, options.probeRatio ?? 0.03),
    callers: checkCallers(`${at}.callers`, options.callers),
  };
}

function resolveLocal(local: ZoneOptions['local']): string | ZoneSource {
  const option = 'stages.zone.local';
  if (typeof local === 'function') return checkFunction(option, local);
  const name = local ?? process.env[ZONE_VARIABLE];
  if (typeof name === 'string' && name !== '') return name;
  throw new InvalidOptionError(
    option,
    `a zone's name, a function that finds it, or left out where ${ZONE_VARIABLE} is set`,
    local,
  );
}

function checkCallers(
  option: string,
  callers: ZoneOptions['callers'],
): Readonly<Record<string, number>> | undefined {
  if (callers === undefined) return undefined;
  if (!isObject(callers)) throw new InvalidOptionError(option, 'an object of numbers', callers);
  let total = 0;
  for (const [zone, count] of Object.entries(callers)) {
    total += checkNumber(`${option}.${zone}`, count, { min: 0 });
  }
  if (total > 0 && Number.isFinite(total)) return { ...callers };
  throw new InvalidOptionError(option, 'callers of at least one zone, with a finite sum', callers);
}

function resolveSubset(given: StagesOptions['subset'] = false): ResolvedSubset | undefined {
  if (given === false) return undefined;
  const at = 'stages.subset';
  checkKeys(at, given, ['size', 'seed', 'index', 'total']);
  const size = checkNumber(`${at}.size`, given.size, { min: 1, integer: true });
  const { seed, index, total } = given;
  if (index === undefined && total === undefined) {
    return { size, seed: seed === undefined ? undefined : checkString(`${at}.seed`, seed) };
  }
  if (seed !== undefined) {
    throw new InvalidOptionError(`${at}.seed`, 'absent beside index and total', seed);
  }
  const clients = checkNumber(`${at}.total`, total, { min: 1, integer: true });
  return {
    size,
    total: clients,
    index: checkNumber(`${at}.index`, index, { min: 0, max: clients - 1, integer: true }),
  };
}

/** What `true`, `false` or an object of options mean: the options, or `undefined` for off. */
function switched<T extends object>(
  option: string,
  given: T | boolean,
): T | Record<string, never> | undefined {
  if (typeof given === 'boolean') return given ? {} : undefined;
  if (isObject(given)) return given;
  throw new InvalidOptionError(option, 'true, false or an object of options', given);
}
