import { expect, it } from 'vitest';
import { Attempt } from '../src/attempt.js';
import { Lease } from '../src/lease.js';
import { state } from './support/states.js';

const LEASE = new Lease(state('a'), 0, -1);

it('gives the same signal at every read', () => {
  const attempt = new Attempt(LEASE, 1, 1_000);
  expect(attempt.signal).toBe(attempt.signal);
  expect(attempt.signal.aborted).toBe(false);
});

it('aborts a signal that was read before', () => {
  const attempt = new Attempt(LEASE, 1, 1_000);
  const { signal } = attempt;
  const reason = new Error('late');
  attempt.abort(reason);
  expect(signal.reason).toBe(reason);
});

it('gives a signal first read after the abort as aborted, with the reason', () => {
  const attempt = new Attempt(LEASE, 1, 1_000);
  const reason = new Error('late');
  attempt.abort(reason);
  expect(attempt.signal.aborted).toBe(true);
  expect(attempt.signal.reason).toBe(reason);
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
    const attempt = new Attempt(LEASE, 1, 1_000);
    attempt.abort(new Error('unseen'));
    expect(made).toEqual([]);
    expect(attempt.signal.aborted).toBe(true);
    expect(made).toHaveLength(1);
  } finally {
    globalThis.AbortController = Original;
  }
});
