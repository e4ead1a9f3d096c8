import type { Policy } from '../types.js';
import { checkKeys, checkMs } from '../validate.js';
import { adaptiveLoad, type AdaptiveLoadOptions } from './adaptive-load.js';
import { leastLoaded } from './best-of.js';

export type AdaptiveOptions = AdaptiveLoadOptions;

/** Up to so many candidates all are compared. A full scan of more, by many clients at a low rate each, herds. */
const SCANNED = 8;
/** Above, the best of so many drawn is taken. */
const DRAWN = 3;
/** Who costs more by less than this much of a call in flight is as good: 1.33 times the latency, where both are idle. */
const TIED_CALLS = 0.25;

/**
 * The default policy: the least {@link adaptiveLoad} of all candidates while they are 8 or fewer, else of 3 drawn by
 * weight. Who would cost no more than the least with a quarter of a call less in flight is as good: between idle
 * instances a latency longer by less than a third decides nothing. Where weights differ, one that is drawn by weight has
 * the call unless another is better by more than it is lighter. It takes calls away from what is slow, hangs, or fails
 * fast, before any breaker opens, and tries it again a few times a minute.
 *
 * @throws {InvalidOptionError} for a `tauMs` out of range.
 */
export function adaptive(options: AdaptiveOptions = {}): Policy {
  checkKeys('adaptive', options, ['tauMs']);
  if (options.tauMs !== undefined) checkMs('adaptive.tauMs', options.tauMs);
  return leastLoaded(
    'adaptive',
    adaptiveLoad(options),
    (n) => (n <= SCANNED ? n : DRAWN),
    TIED_CALLS,
  );
}
