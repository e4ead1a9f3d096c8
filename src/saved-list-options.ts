import { resolve } from 'node:path';
import { InvalidOptionError } from './errors.js';
import { checkKeys, checkMsOrZero, checkNumber, checkString, isObject } from './validate.js';

/** Where the list of a service is saved, for a start while its source does not answer. */
export interface SavedListOptions {
  /**
   * Folder of the files, one per service and adapter name; made where it is missing, for this user alone. Clients whose
   * sources differ under one adapter name (two datacenters, say) need folders of their own.
   */
  readonly folder: string;
  /** A saved list older than this is not used, in ms > 0. Default 86,400,000: a day. */
  readonly maxAgeMs?: number | undefined;
  /** How long the source may take to answer before the saved list is used, in ms >= 0. One that fails is not waited for. Default 1,000. */
  readonly afterMs?: number | undefined;
}

/** `SavedListOptions` with every default filled in. */
export interface ResolvedSavedList {
  /** Absolute, so that it stays where it is when the process changes its directory. */
  readonly folder: string;
  readonly maxAgeMs: number;
  readonly afterMs: number;
}

/** @throws {InvalidOptionError} naming the first option out of range. */
export function resolveSavedList(
  options: SavedListOptions | false = false,
): ResolvedSavedList | undefined {
  if (options === false) return undefined;
  const given: unknown = options;
  if (!isObject(given)) throw new InvalidOptionError('savedList', 'an object or false', given);
  checkKeys('savedList', given, ['folder', 'maxAgeMs', 'afterMs']);
  return {
    folder: resolve(checkString('savedList.folder', options.folder)),
    maxAgeMs: checkNumber('savedList.maxAgeMs', options.maxAgeMs ?? 86_400_000, {
      min: 0,
      exclusiveMin: true,
      unit: 'milliseconds',
    }),
    afterMs: checkMsOrZero('savedList.afterMs', options.afterMs ?? 1_000),
  };
}
