import type { Clock, Env, Rng, Timer } from './types.js';

/** The real clock and randomness: the only ambient time and chance in the project. */
export function realEnv(): Env {
  return { clock: realClock, rng: realRng, wallClock: realWallClock };
}

const realWallClock = (): number => Date.now();

/** Epoch ms as `env` has them: what is compared across processes, and nothing else. */
export function wallClockOf(env: Env): () => number {
  return env.wallClock ?? realWallClock;
}

/** Each call has one: a class costs less than two closures. */
class RealTimer implements Timer {
  constructor(private readonly handle: NodeJS.Timeout) {}

  cancel(): void {
    clearTimeout(this.handle);
  }

  unref(): void {
    this.handle.unref();
  }
}

const realClock: Clock = {
  now: () => performance.now(),
  setTimer: (ms, fn) => new RealTimer(setTimeout(fn, ms)),
  sleep: (ms, signal) => sleepOn(realClock, ms, signal),
};

/**
 * xorshift128 (G. Marsaglia, "Xorshift RNGs", 2003) from a random seed. `Math.random` is no worse, but being built in it
 * costs twice as much and a boxed number each time, two to four times per pick.
 */
const realRng = xorshift128();

function xorshift128(): Rng {
  const word = (): number => (Math.random() * 2 ** 32) | 0;
  let [x, y, z, w] = [word(), word(), word(), word() | 1]; // not all of them 0
  return {
    next() {
      const t = x ^ (x << 11);
      x = y;
      y = z;
      z = w;
      w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
      return (w >>> 0) / 2 ** 32;
    },
  };
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

const backgroundClocks = new WeakMap<Clock, Clock>();

/** A clock whose timers and sleeps never keep the process alive. The same one each time, so that it can be a key, too. */
export function backgroundClock(clock: Clock): Clock {
  const known = backgroundClocks.get(clock);
  if (known !== undefined) return known;
  const setTimer = (ms: number, fn: () => void): Timer => {
    const timer = clock.setTimer(ms, fn);
    timer.unref();
    return timer;
  };
  const background: Clock = {
    now: () => clock.now(),
    setTimer,
    sleep: (ms, signal) => sleepOn({ setTimer }, ms, signal),
  };
  backgroundClocks.set(clock, background);
  return background;
}
