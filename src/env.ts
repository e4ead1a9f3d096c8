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

const realRng: Rng = { next: () => Math.random() };

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
