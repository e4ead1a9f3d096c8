import type { Clock, Env, Rng, Timer } from './types.js';

/** The real clock and randomness: the only ambient time and chance in the project. */
export function realEnv(): Env {
  return { clock: realClock, rng: realRng };
}

const realClock: Clock = {
  now: () => performance.now(),
  setTimer(ms, fn): Timer {
    const handle = setTimeout(fn, ms);
    return {
      cancel: () => {
        clearTimeout(handle);
      },
      unref: () => {
        handle.unref();
      },
    };
  },
  sleep: (ms, signal) => sleepOn(realClock, ms, signal),
};

/**
 * sfc32 (Chris Doty-Humphrey, PractRand; public domain), from a random seed. `Math.random` is as good but costs twice as
 * much and, being built in, a boxed number per call: two to four per pick.
 */
const realRng = smallFastRng();

function smallFastRng(): Rng {
  let [a = 0, b = 0, c = 0] = Array.from({ length: 3 }, () => (Math.random() * 2 ** 32) | 0);
  let counter = 1;
  const next = (): number => {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 12; i++) next(); // a seed of few bits set shows in the first outputs
  return { next };
}

/** `Clock.sleep` for any clock that has `setTimer`. */
export function sleepOn(
  clock: Pick<Clock, 'setTimer'>,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.setTimer(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** A clock whose timers and sleeps never keep the process alive. */
export function backgroundClock(clock: Clock): Clock {
  const setTimer = (ms: number, fn: () => void): Timer => {
    const timer = clock.setTimer(ms, fn);
    timer.unref();
    return timer;
  };
  return {
    now: () => clock.now(),
    setTimer,
    sleep: (ms, signal) => sleepOn({ setTimer }, ms, signal),
  };
}
