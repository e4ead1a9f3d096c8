/** How a promise stands, readable at any time. Handles its rejection. */
export interface Watched<T> {
  status: 'pending' | 'resolved' | 'rejected';
  value: T | undefined;
  error: unknown;
}

export function watched<T>(promise: Promise<T>): Watched<T> {
  const state: Watched<T> = { status: 'pending', value: undefined, error: undefined };
  promise.then(
    (value) => Object.assign(state, { status: 'resolved', value }),
    (error: unknown) => Object.assign(state, { status: 'rejected', error }),
  );
  return state;
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** What a function threw; fails the test when it threw nothing. */
export function thrownBy(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error('expected the function to throw');
}

export function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** Runs `fn` with errors that would be uncaught collected instead of failing the run. */
export async function collectUncaught(fn: () => Promise<void>): Promise<unknown[]> {
  const caught: unknown[] = [];
  const kinds = ['uncaughtException', 'unhandledRejection'] as const;
  const collect = (error: unknown): void => {
    caught.push(error);
  };
  const before = kinds.map((kind) => process.rawListeners(kind));
  for (const kind of kinds) process.removeAllListeners(kind).on(kind, collect);
  try {
    await fn();
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    kinds.forEach((kind, i) => {
      process.removeAllListeners(kind);
      for (const listener of before[i] ?? []) process.on(kind, listener as () => void);
    });
  }
  return caught;
}
