import { AsyncResource } from 'node:async_hooks';
import { type Alarm, type AlarmClock, TimerLists } from './timer-lists.js';
import type { Clock, Env, LimitTimers, Rng, Timer } from './types.js';

/** The real clock and randomness: the only ambient time and chance in the project. */
export function realEnv(): Env {
  return { clock: realClock, rng: realRng, wallClock: realWallClock };
}

const realWallClock = (): number => Date.now();

/** Epoch ms as `env` has them: what is compared across processes, and nothing else. */
export function wallClockOf(env: Env): () => number {
  return env.wallClock ?? realWallClock;
}

class RealTimer implements Timer {
  constructor(private readonly handle: NodeJS.Timeout) {}

  cancel(): void {
    clearTimeout(this.handle);
  }

  unref(): void {
    this.handle.unref();
  }
}

/** Whatever sets the first timer of a list sets the alarm for all: none of them is to be called in its async context. */
const nowhere = new AsyncResource('FairleadLimits');

class RealAlarm implements Alarm {
  constructor(private readonly handle: NodeJS.Timeout) {}

  ref(): void {
    this.handle.ref();
  }

  unref(): void {
    this.handle.unref();
  }

  clear(): void {
    ownClearTimeout(this.handle);
  }
}

/** Tests put a fake one in its place, and drop what was set with it at any time: no alarm may be shared there. */
const ownSetTimeout = setTimeout;
const ownClearTimeout = clearTimeout;

const alarmClock: AlarmClock = {
  now: () => performance.now(),
  setAlarm: (ms, fn) => new RealAlarm(nowhere.runInAsyncScope(ownSetTimeout, undefined, fn, ms)),
};

class RealLimits implements LimitTimers {
  readonly #lists = new TimerLists(alarmClock);

  set(ms: number, fn: () => void, nowMs: number): Timer {
    return setTimeout === ownSetTimeout
      ? this.#lists.set(ms, fn, nowMs)
      : new RealTimer(setTimeout(fn, ms));
  }

  tidy(): void {
    this.#lists.tidy();
  }
}

const realClock: Clock = {
  now: () => performance.now(),
  setTimer: (ms, fn) => new RealTimer(setTimeout(fn, ms)),
  sleep: (ms, signal) => sleepOn(realClock, ms, signal),
  limits: new RealLimits(),
};

/**
 * xorshift128 (G. Marsaglia, "Xorshift RNGs", 2003) from a random seed. `Math.random` is no worse, but being built in it
 * costs twice as much and a boxed number each time, two to four times per pick. Its words are fields that begin as small
 * integers: V8 then neither checks nor tags them, as it does with what a closure keeps.
 */
class Xorshift128 implements Rng {
  private x = randomWord();
  private y = randomWord();
  private z = randomWord();
  private w = randomWord() | 1; // not all of them 0

  next(): number {
    const { x, w } = this;
    const t = x ^ (x << 11);
    this.x = this.y;
    this.y = this.z;
    this.z = w;
    this.w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
    return (this.w >>> 0) / 2 ** 32;
  }
}

function randomWord(): number {
  return (Math.random() * 2 ** 32) | 0;
}

const realRng = new Xorshift128();

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

/** A timer for what is nearly always done before: see {@link Clock.limits}. */
export function setLimit(clock: Clock, ms: number, fn: () => void, nowMs: number): Timer {
  return clock.limits === undefined ? clock.setTimer(ms, fn) : clock.limits.set(ms, fn, nowMs);
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
