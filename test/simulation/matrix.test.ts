import { describe, expect, it } from 'vitest';
import type { Client } from '../../src/client.js';
import type { PolicyName } from '../../src/options.js';
import { good } from './servers.js';
import { type Sent, type Server, simulate } from './simulate.js';

const FAULT_FROM_MS = 5_000;
const FAULT_TO_MS = 20_000;
const DURATION_MS = 70_000;
const CAP = 0.5;

type Kind = 'dead' | 'hanging' | 'failing fast' | 'slow' | 'flapping' | 'recovering';

/** What a bad server does with a request; `undefined` when it is good just then. */
const FAULTS: Readonly<Record<Kind, (nowMs: number) => ReturnType<Server['serve']> | undefined>> = {
  dead: () => ({ ms: 0.2, outcome: 'failure' }),
  hanging: () => ({ ms: 1_000, outcome: 'failure' }), // the attempt's time limit
  'failing fast': () => ({ ms: 1, outcome: 'overload' }),
  slow: () => ({ ms: 800, outcome: 'success' }),
  flapping: (nowMs) => (nowMs % 4_000 < 2_000 ? { ms: 1, outcome: 'failure' } : undefined),
  recovering: (nowMs) =>
    nowMs >= FAULT_FROM_MS && nowMs < FAULT_TO_MS ? { ms: 0.2, outcome: 'failure' } : undefined,
};
const KINDS = Object.keys(FAULTS) as Kind[];

function bad(n: number, kind: Kind): Server[] {
  return good(n, 'bad').map((server) => ({
    ...server,
    serve: (nowMs, rng) => FAULTS[kind](nowMs) ?? server.serve(nowMs, rng),
  }));
}

/** One instance's history, as the live table told it. */
interface Trace {
  readonly id: string;
  /** Each change of breaker, with its time. */
  readonly breaker: { readonly kind: string; readonly atMs: number }[];
  readonly capacity: { readonly value: number; readonly atMs: number }[];
}

interface Run {
  readonly sent: readonly Sent[];
  readonly traces: ReadonlyMap<string, Trace>;
  readonly fewestCandidates: number;
  /** Most breakers not closed at a time. */
  readonly mostOut: number;
  /** Picks of an instance that no call should have reached: open, or with its probe out; panic apart. */
  readonly forbidden: string[];
  /** Picks before which a steadily good instance was no candidate. */
  readonly goodOnesMissing: number;
  /** Of each instance whose breaker closed, at that moment. */
  readonly capacitiesOnClosing: readonly number[];
}

async function run(n: number, badOnes: number, kind: Kind, policy: PolicyName): Promise<Run> {
  const traces = new Map<string, Trace>();
  const forbidden: string[] = [];
  const capacitiesOnClosing: number[] = [];
  let fewestCandidates = Infinity;
  let mostOut = 0;
  let goodOnesMissing = 0;
  let picks = 0;
  /** Instances with a probe out, by the pick that sent it. */
  const probing = new Map<string, number>();
  const listen = (client: Client): void => {
    client.on('breaker.half-opened', ({ instanceId }) => probing.set(instanceId, picks));
    client.on('breaker.opened', ({ instanceId }) => probing.delete(instanceId));
    client.on('breaker.closed', ({ instanceId }) => {
      probing.delete(instanceId);
      const row = client.snapshot().instances.find(({ id }) => id === instanceId);
      capacitiesOnClosing.push(row?.capacity ?? NaN);
    });
  };
  const look = (client: Client, nowMs: number, to: string): void => {
    if (picks === 0) listen(client);
    const { candidates, panic } = client.explain();
    fewestCandidates = Math.min(fewestCandidates, candidates.length);
    const eligible = new Set(candidates.map(({ id }) => id));
    const { instances } = client.snapshot();
    for (const { id } of instances) {
      if (id.startsWith('good') && !eligible.has(id)) goodOnesMissing++;
    }
    if (panic === undefined && (probing.get(to) ?? picks) < picks) {
      forbidden.push(`${to} at ${String(nowMs)}`);
    }
    picks++;
    mostOut = Math.max(mostOut, instances.filter(({ breaker }) => breaker !== 'closed').length);
    for (const { id, breaker, capacity } of instances) {
      const trace = traces.get(id) ?? { id, breaker: [], capacity: [] };
      traces.set(id, trace);
      if (trace.breaker.at(-1)?.kind !== breaker)
        trace.breaker.push({ kind: breaker, atMs: nowMs });
      if (trace.capacity.at(-1)?.value !== capacity) {
        trace.capacity.push({ value: capacity, atMs: nowMs });
      }
    }
  };
  const sent = await simulate({
    policy,
    servers: [...good(n - badOnes), ...bad(badOnes, kind)],
    perSecond: 20,
    durationMs: DURATION_MS,
    seed: n + badOnes,
    options: { breaker: {}, slowStartMs: 30_000, outlierDetection: { maxEjectedRatio: CAP } },
    onPick: ({ client, nowMs, to }) => {
      look(client, nowMs, to);
    },
  });
  return {
    sent,
    traces,
    fewestCandidates,
    mostOut,
    forbidden,
    goodOnesMissing,
    capacitiesOnClosing,
  };
}

/** How many can be out of `n` at most: the share is measured with the next one out, and the last one never is. */
function mostAllowedOut(n: number): number {
  return Math.min(n - 1, Math.floor(CAP * n));
}

const SIZES = [1, 2, 3, 10, 100];
const CASES = SIZES.flatMap((n) => {
  const counts = [...new Set([1, Math.floor(n / 2), n - 1, n])].filter((count) => count > 0);
  return counts.flatMap((count) => KINDS.map((kind) => ({ n, count, kind })));
});

describe.each<PolicyName>(['round-robin', 'adaptive'])('under %s', (policy) => {
  it.each(CASES)('$count of $n $kind', async ({ n, count, kind }) => {
    const result = await run(n, count, kind, policy);
    const { sent, traces, fewestCandidates, mostOut, forbidden, goodOnesMissing } = result;

    expect(fewestCandidates, 'candidates').toBeGreaterThan(0);
    expect(goodOnesMissing, 'good ones that were no candidates').toBe(0);
    expect(mostOut, 'instances out at a time').toBeLessThanOrEqual(mostAllowedOut(n));
    expect(forbidden, 'picked while its probe was out').toEqual([]);
    for (const capacity of result.capacitiesOnClosing) expect(capacity).toBe(0.1);
    if (n === 1) {
      const [trace] = traces.values();
      expect(trace?.breaker.map(({ kind: state }) => state)).toEqual(['closed']);
      expect(sent.every(({ to }) => to === 'bad0')).toBe(true);
    }
    for (const { id, breaker, capacity } of traces.values()) {
      if (id.startsWith('good')) expect(breaker, id).toHaveLength(1);
      else expectRamps(breaker, capacity);
    }
    if (kind === 'recovering') {
      const late = sent.filter(({ atMs }) => atMs >= FAULT_TO_MS + 35_000);
      expect(
        late.some(({ to }) => to.startsWith('bad')),
        'serves again',
      ).toBe(true);
      expect(
        late.every(({ outcome }) => outcome === 'success'),
        'all is well again',
      ).toBe(true);
    }
  });
});

/** Whenever a breaker closes, the capacity grows from a tenth, step by step, to all of the weight. */
function expectRamps(breaker: Trace['breaker'], capacity: Trace['capacity']): void {
  breaker.forEach(({ kind, atMs }, i) => {
    if (kind !== 'closed' || i === 0) return;
    const untilMs = breaker[i + 1]?.atMs ?? Infinity;
    const ramp = capacity.filter((step) => step.atMs >= atMs && step.atMs < untilMs);
    const values = ramp.map(({ value }) => value);
    expect(values, 'grows').toEqual([...values].sort((a, b) => a - b));
    const wasWholeAfterMs = 31_000; // no ramp takes longer than slowStartMs
    if (Math.min(untilMs, DURATION_MS) - atMs <= wasWholeAfterMs) return;
    // A ramp may be over before anything is picked again, and then nothing was seen of it.
    expect(capacity.findLast((step) => step.atMs < untilMs)?.value).toBe(1);
  });
}
