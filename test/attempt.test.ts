import { expect, it } from 'vitest';
import { Attempt, type AttemptOwner } from '../src/attempt.js';
import { ManualClock } from '../src/testing.js';
import { state } from './support/states.js';

const OWNER: AttemptOwner = {
  clock: new ManualClock(),
  signal: undefined,
  inheritDeadline: false,
  runInAsyncScope: (fn, self, ...args) => {
    fn.apply(self, args);
  },
  judge: () => {
    throw new Error('nothing is settled here');
  },
  timeOut: () => undefined,
  note: () => undefined,
  discard: () => undefined,
};

function begun(): Attempt {
  const lease = state('a').begin(0);
  const limit = { ms: 1_000, isDeadline: false };
  return new Attempt({ lease, number: 1, kind: 'first', limit }, OWNER, { ended: () => undefined });
}

it('gives the same signal at every read', () => {
  const attempt = begun();
  expect(attempt.signal).toBe(attempt.signal);
  expect(attempt.signal.aborted).toBe(false);
});

it('aborts a signal that was read before', () => {
  const attempt = begun();
  const { signal } = attempt;
  const reason = new Error('late');
  attempt.cut(reason, 'cancelled');
  expect(signal.reason).toBe(reason);
});

it('gives a signal first read after the abort as aborted, with the reason', () => {
  const attempt = begun();
  const reason = new Error('late');
  attempt.cut(reason, 'cancelled');
  expect(attempt.signal.aborted).toBe(true);
  expect(attempt.signal.reason).toBe(reason);
});

it('tells listeners and targets of the abort, at once where it has come', () => {
  const attempt = begun();
  const told: unknown[] = [];
  const listen = (name: string) => (reason: unknown) => told.push(name, reason);
  attempt.onAbort(listen('a listener'));
  attempt.abortsTo({ abort: listen('a target') });
  attempt.onAbort(listen('another'));
  attempt.cut('late', 'cancelled');
  attempt.abortsTo({ abort: listen('a late one') });
  expect(told).toEqual([
    'a listener',
    'late',
    'a target',
    'late',
    'another',
    'late',
    'a late one',
    'late',
  ]);
});

it('makes no signal until one is read', () => {
  const made: unknown[] = [];
  const Original = globalThis.AbortController;
  globalThis.AbortController = class extends Original {
    constructor() {
      super();
      made.push(this);
    }
  };
  try {
    const attempt = begun();
    attempt.cut(new Error('unseen'), 'cancelled');
    expect(made).toEqual([]);
    expect(attempt.signal.aborted).toBe(true);
    expect(made).toHaveLength(1);
  } finally {
    globalThis.AbortController = Original;
  }
});

it('shows nothing of its call to who looks at what the function is given', () => {
  expect(Object.keys(begun())).toEqual(['instance', 'attempt', 'timeoutMs']);
});
