/** What a dispatcher made for one fetch sends through. */
import type { DispatchOptions } from './dispatch/types.js';

/** What there is of an undici `Dispatcher` that a fetch needs, whichever version of undici it is from. */
export interface FetchDispatcher {
  dispatch(options: never, handler: never): boolean;
}

/** The same, to be called. */
export interface Below {
  dispatch(options: DispatchOptions, handler: object): boolean;
  /** Of a `MockAgent`, which fetch gives bodies as they are. */
  readonly isMockActive?: boolean | undefined;
}

const OLDER = Symbol.for('undici.globalDispatcher.1');
const NEWER = Symbol.for('undici.globalDispatcher.2');
const globals = globalThis as { [OLDER]?: Below; [NEWER]?: Below };

/**
 * What was given, else the global dispatcher, which `setGlobalDispatcher` sets, where that fetch itself would look: what
 * has handlers of the older style (undici 6 and 7, in Node 20 to 24) under the first name, undici 8 (in Node 26) under
 * the second.
 *
 * @throws {TypeError} where there is none, which no fetch that dispatches will see: it makes one when it is loaded.
 */
export function belowOf(given: FetchDispatcher | undefined, handler: object): Below;
export function belowOf(given: FetchDispatcher | undefined): Below | undefined;
export function belowOf(given: FetchDispatcher | undefined, handler?: object): Below | undefined {
  if (given !== undefined) return given;
  const isNewer = handler !== undefined && !('onConnect' in handler);
  const below = isNewer ? (globals[NEWER] ?? globals[OLDER]) : (globals[OLDER] ?? globals[NEWER]);
  if (below !== undefined || handler === undefined) return below;
  throw new TypeError('There is no global dispatcher of undici.');
}
