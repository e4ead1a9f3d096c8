/** One way to make a call that `bench/call.bench.ts` measures. */
export interface CallSubject {
  readonly library: string;
  readonly name: string;
  /** Makes it ready, from nothing. `n` is what the job varies: calls that the window holds already. */
  prepare(n: number): Prepared | Promise<Prepared>;
}

export interface Prepared {
  /** Makes so many calls. */
  readonly run: (times: number) => Promise<number>;
  /** Lets go of what was made. */
  readonly close?: () => Promise<void> | void;
}

/** As many as clients and peers have. */
export const INSTANCES = 10;

/** Time for one attempt, in ms, where it has to be said. */
export const ATTEMPT_TIMEOUT_MS = 3_000;

export interface Server {
  readonly host: string;
  readonly port: number;
}

export function servers(n: number): Server[] {
  return Array.from({ length: n }, (_, i) => ({ host: '10.0.0.1', port: i + 1 }));
}

/** The function that is called: it has an answer at once. */
export const noop = (): Promise<number> => Promise.resolve(1);

/** The same, of a caller that hands the signal on. */
export function reading(signal: AbortSignal): Promise<number> {
  return Promise.resolve(signal.aborted ? 0 : 1);
}

/** What nothing was sent for, so that anything may be tried again at once. */
export function refused(): Promise<number> {
  return Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
}

/** The failure that is measured: an error of the caller's own. */
export function failing(): Promise<number> {
  return Promise.reject(new Error('x'));
}

/** One call after the other. */
export function inTurn(call: () => Promise<unknown>): Prepared['run'] {
  return async (times) => {
    for (let i = 0; i < times; i++) await call();
    return times;
  };
}

/** The same of calls that fail. @throws when one does not, with the error it was given. */
export function failingInTurn(call: () => Promise<unknown>): Prepared['run'] {
  return async (times) => {
    let failed = 0;
    for (let i = 0; i < times; i++) {
      try {
        await call();
      } catch (error) {
        if ((error as Error).message === 'x') failed++;
      }
    }
    if (failed !== times)
      throw new Error(`${times - failed} of ${times} calls did not fail with x`);
    return times;
  };
}

/** So many at once: a peer that waits for a timer before each retry keeps nobody else waiting. */
const AT_ONCE = 100;

export function atOnce(call: () => Promise<unknown>): Prepared['run'] {
  return async (times) => {
    for (let done = 0; done < times; done += AT_ONCE) {
      const calls: Promise<unknown>[] = [];
      for (let i = done; i < Math.min(times, done + AT_ONCE); i++) calls.push(call());
      await Promise.all(calls);
    }
    return times;
  };
}
