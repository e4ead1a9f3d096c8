import { describe, expect, it, vi } from 'vitest';
import { BUCKET_MS, Buckets } from '../../bench/faults/buckets.js';
import { figuresOf } from '../../bench/faults/figures.js';
import { errorsOf, goalsOf } from '../../bench/faults/goals.js';
import { openLoop } from '../../bench/faults/open-loop.js';
import { fullPlan, repeatPlan } from '../../bench/faults/plan.js';
import type { RunRecord } from '../../bench/faults/records.js';
import type { Seen } from '../../bench/faults/run.js';
import { NGINX, OURS } from '../../bench/faults/subjects.js';

const FROM_MS = 1_000_000;
const WARM_MS = FROM_MS + 1_000;
const FAULT_MS = FROM_MS + 2_000;
const MENDED_MS = FROM_MS + 5_000;
const CALLS = 8_000;

/** A call per ms for 8 s: 3 ms each, but what `latencyMs` says. The first backend gets 25 % but between these times. */
function seen({
  latencyMs = () => 3,
  failed = [],
  outFromMs = FAULT_MS,
  outToMs = MENDED_MS,
  visible = true,
}: {
  readonly latencyMs?: (dueMs: number) => number;
  readonly failed?: readonly number[];
  readonly outFromMs?: number;
  readonly outToMs?: number;
  readonly visible?: boolean;
}): Seen {
  const traffic = Array.from({ length: 4 }, () => new Buckets());
  for (let atMs = FROM_MS; atMs < FROM_MS + CALLS; atMs += BUCKET_MS) {
    const isOut = atMs >= outFromMs && atMs < outToMs;
    traffic.forEach((buckets, i) => {
      buckets.add(atMs / BUCKET_MS, i === 0 ? (isOut ? 2 : 25) : 25);
    });
  }
  return {
    calls: {
      startMs: FROM_MS,
      everyMs: 1,
      latencyMs: Array.from({ length: CALLS }, (_, i) => latencyMs(FROM_MS + i)),
      lagMs: Array.from({ length: CALLS }, (_, i) => (i < 1_000 ? 90 : 1)),
      failures: failed.map((call) => ({ call, reason: 'HTTP 500' })),
    },
    warmMs: WARM_MS,
    faultFromMs: FAULT_MS,
    faultToMs: MENDED_MS,
    traffic: traffic.map((arrivals) => ({
      arrivals,
      attempts: visible ? arrivals : undefined,
    })),
  };
}

describe('the figures of a run', () => {
  it('count a call where it was due, and one under way as the fault began to the fault', () => {
    const latencyMs = (dueMs: number): number =>
      dueMs >= FAULT_MS - 2 && dueMs < FAULT_MS + 40 ? 500 : 3;
    const { before, during, settled, after, reasons } = figuresOf(
      'any',
      'slow',
      seen({ latencyMs, failed: [1_999, 2_500, 6_000] }),
    );
    expect(before).toMatchObject({ calls: 997, errors: 0, p99: 3, p999: 3 });
    expect(during).toMatchObject({ calls: 3_003, errors: 2, p50: 3, p99: 500 });
    expect(settled).toMatchObject({ calls: 2_000, errors: 0, p99: 3 });
    expect(after).toMatchObject({ calls: 3_000, errors: 1 });
    expect(reasons).toEqual({ 'HTTP 500': 3 });
  });

  it('leave the warm-up out of how late the calls were sent', () => {
    expect(figuresOf('any', 'slow', seen({})).lag).toEqual({ p50: 1, p99: 1, most: 1 });
  });

  it('tell when a backend was out, and when it was back', () => {
    const run = seen({ outFromMs: FAULT_MS + 300, outToMs: MENDED_MS + 2_000 });
    const { outSeconds, backSeconds, shares } = figuresOf('any', 'slow', run);
    expect(outSeconds).toEqual([0.3]);
    // Half of an even share in half a second: two of its buckets do.
    expect(backSeconds).toEqual([2.2]);
    expect(shares.before[0]).toBeCloseTo(0.25);
    expect(shares.by).toBe('attempts');
  });

  it('say so when it was never out, and never back', () => {
    const never = figuresOf('any', 'slow', seen({ outFromMs: MENDED_MS, outToMs: Infinity }));
    expect(never.outSeconds).toEqual([3]);
    expect(never.backSeconds).toEqual([undefined]);
  });

  it('do not claim to know who asks a killed one, where that cannot be seen', () => {
    const hidden = seen({ visible: false });
    expect(figuresOf('any', 'killed', hidden).outSeconds).toEqual([undefined]);
    expect(figuresOf('any', 'stopped', hidden).outSeconds).toEqual([0]);
  });
});

describe('goals', () => {
  const part = { calls: 3_000, errors: 0, p50: 3, p99: 5, p999: 9 };
  const record = (subject: string, over: Partial<RunRecord> = {}): RunRecord => ({
    ...figuresOf(subject, 'three at once', seen({})),
    before: part,
    during: part,
    settled: part,
    after: part,
    outSeconds: [0.1, 0.2, 0],
    backSeconds: [3, 4, 2],
    round: 1,
    ...over,
  });
  const met = (goals: ReturnType<typeof goalsOf>): string[] =>
    goals.filter((goal) => goal.met).map(({ what }) => what);

  it('are met by runs that meet them', () => {
    const runs = [...OURS, NGINX].map((name) => record(name));
    expect(met(goalsOf(runs, []))).toHaveLength(5);
  });

  it.each<[string, Partial<RunRecord>]>([
    ['errors', { during: { ...part, errors: 1 } }],
    ['p99 from 1 s', { settled: { ...part, p99: 6.1 } }],
    ['p99 in the fault', { during: { ...part, p99: 5.1 } }],
    ['out of rotation', { outSeconds: [0.1, 0.3, 0] }],
    ['back', { backSeconds: [3, 5.1, 2] }],
    ['by the end of the run', { backSeconds: [3, undefined, 2] }],
  ])('are missed when one of ours misses them: %s', (what, bad) => {
    const runs = [...OURS, NGINX].map((name, i) => record(name, i === 2 ? bad : {}));
    const missed = goalsOf(runs, []).filter((goal) => !goal.met);
    expect(missed).toHaveLength(1);
    expect(missed[0]?.what).toContain(what);
  });

  it('go by the median of the rounds of a scene, and by the worst scene', () => {
    const never = { backSeconds: [undefined] };
    const rounds = [record(OURS[0] ?? '', never), record(OURS[0] ?? ''), record(OURS[0] ?? '')];
    const isBack = (runs: readonly RunRecord[]): boolean | undefined =>
      goalsOf(runs, []).find(({ what }) => what.includes('back'))?.met;
    expect(isBack(rounds)).toBe(true);
    const elsewhere = { ...never, scene: 'stopped' } as const;
    expect(isBack([...rounds, record(OURS[0] ?? '', elsewhere)])).toBe(false);
  });

  it('hold the worst run with retries against the best without', () => {
    const failing = (subject: string, errors: readonly number[]): RunRecord[] =>
      errors.map((each) => record(subject, { during: { ...part, errors: each } }));
    const none = failing('Fairlead, undici, no retries', [40, 9]);
    const goal = (errors: readonly number[]): boolean | undefined =>
      goalsOf([], [...failing('Fairlead, undici', errors), ...none])[0]?.met;
    expect(goal([0, 9])).toBe(true);
    expect(goal([0, 10])).toBe(false);
    expect(errorsOf(record('any', { after: { ...part, errors: 2 } }))).toBe(2);
  });
});

describe('the plan', () => {
  it('takes peers through one round, ours through all', () => {
    const plan = fullPlan({ only: undefined, scene: 'slow', rounds: 3 });
    expect(plan.filter(({ subject }) => subject === NGINX)).toHaveLength(1);
    for (const name of OURS) {
      expect(plan.filter(({ subject }) => subject === name)).toHaveLength(3);
    }
  });

  it('repeats clients with retries and without in turns', () => {
    const plan = repeatPlan({ only: undefined, scene: undefined, rounds: 2 });
    expect(new Set(plan.map(({ scene }) => scene))).toEqual(new Set(['three at once']));
    expect(plan.slice(0, plan.length / 2).map(({ round }) => round)).not.toContain(2);
  });
});

describe('the open loop', () => {
  it('sends what is due whatever becomes of it, and counts from when it was due', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'performance', 'Date'] });
    try {
      let sent = 0;
      const send = (): Promise<void> => {
        const call = sent++;
        if (call === 3) return Promise.reject(new Error('no'));
        if (call === 5) return new Promise(() => undefined);
        return new Promise((resolve) => setTimeout(resolve, call === 7 ? 9 : 2));
      };
      const ended = openLoop(send, { perSecond: 1_000, forMs: 20, settleMs: 30 });
      await vi.advanceTimersByTimeAsync(10);
      expect(sent).toBe(11); // though the sixth never ends
      await vi.advanceTimersByTimeAsync(90);
      const { latencyMs, lagMs, failures } = await ended;
      expect(failures.map(({ call, reason }) => [call, reason])).toEqual([
        [3, 'no'],
        [5, 'never ended'],
      ]);
      expect(lagMs.every((lag) => lag === 0)).toBe(true);
      expect(latencyMs.slice(6, 9)).toEqual([2, 9, 2]);
      expect(latencyMs[5]).toBeGreaterThan(40);
    } finally {
      vi.useRealTimers();
    }
  });
});
