import { toInstance } from '../../src/discovery.js';
import type { CallContext, Candidate, InstanceRecord, Picker } from '../../src/types.js';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
export interface TestCandidate extends Candidate {
  readonly state: Mutable<InstanceRecord>;
}

/** A candidate with a record that a test can write to. */
export function candidate(
  id: string,
  weight = 1,
  record: Partial<InstanceRecord> = {},
): TestCandidate {
  const instance = toInstance({ id, host: 'localhost', port: 80, weight }, id);
  const state = {
    instance,
    pending: 0,
    ewmaMs: 0,
    ewmaAtMs: 0,
    measured: 0,
    waitingSinceMs: Infinity,
    attempts: record.measured ?? 0,
    successRatio: 1,
    failuresInARow: 0,
    report: undefined,
    capacity: weight,
    health: 'unknown',
    role: undefined,
    heldUntilMs: -Infinity,
    breaker: { kind: 'closed' },
    ...record,
  } as const;
  return { instance, state };
}

/** Candidates named `c0`, `c1`, ... with these weights. */
export function weighted(...weights: number[]): TestCandidate[] {
  return weights.map((weight, i) => candidate(`c${i}`, weight));
}

export function context(excluded: readonly string[] = [], nowMs = 0): CallContext {
  return {
    nowMs,
    excluded: new Set(excluded),
    hashKey: undefined,
    inFlight: 0,
    retry: excluded.length > 0,
    passing: false,
  };
}

/** Ids of the next `n` picks. */
export function picks(picker: Picker, n: number, call: CallContext = context()): string[] {
  return Array.from({ length: n }, () => picker.pick(call)?.instance.id ?? 'none');
}

export function countById(ids: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const id of ids) counts[id] = (counts[id] ?? 0) + 1;
  return counts;
}
