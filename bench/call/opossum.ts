import CircuitBreaker from 'opossum';
import { type CallSubject, failing, failingInTurn, inTurn, noop, reading } from './subject.js';

/** As cheap as it can be had. */
export const FENCED = {
  timeout: false,
  enableSnapshots: false,
  rollingPercentilesEnabled: false,
  volumeThreshold: 10,
} as const;

/** Never opens: a call that is turned away would not be one that fails. */
const CLOSED = { errorThresholdPercentage: 100, volumeThreshold: 1_000_000_000 } as const;

export const opossum: readonly CallSubject[] = [
  firing('fire, fenced', FENCED),
  firing('fire, defaults', {}),
  {
    library: 'opossum',
    name: 'AbortController + signal + fire, fenced',
    prepare() {
      const breaker = new CircuitBreaker(reading, { ...FENCED });
      return {
        run: inTurn(() => breaker.fire(new AbortController().signal)),
        close: () => breaker.shutdown(),
      };
    },
  },
  failingFire('fire that fails, fenced', { ...FENCED, ...CLOSED }),
  failingFire('fire that fails, percentiles on', CLOSED),
];

function firing(name: string, options: CircuitBreaker.Options): CallSubject {
  return {
    library: 'opossum',
    name,
    prepare() {
      const breaker = new CircuitBreaker(noop, { ...options });
      return { run: inTurn(() => breaker.fire()), close: () => breaker.shutdown() };
    },
  };
}

/** After `n` calls that were good, within its window. */
function failingFire(name: string, options: CircuitBreaker.Options): CallSubject {
  return {
    library: 'opossum',
    name,
    async prepare(n) {
      let isGood = true;
      const breaker = new CircuitBreaker(() => (isGood ? noop() : failing()), { ...options });
      await inTurn(() => breaker.fire())(n);
      isGood = false;
      return { run: failingInTurn(() => breaker.fire()), close: () => breaker.shutdown() };
    },
  };
}
