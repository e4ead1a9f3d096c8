/**
 * What a pick and a call cost, beside the two libraries below them, in one run: `npm run bench:call`.
 *
 * Runs the built package: a loader that compiles on the fly makes closures several times dearer. Every figure is
 * the median of interleaved rounds, so that a slow moment of the machine hits all alike.
 */
import { createClient, type PolicyName } from 'fairlead';
import { memoryAdapter } from 'fairlead/testing';
import CircuitBreaker from 'opossum';
import pRetry from 'p-retry';
import { Bench } from 'tinybench';

const ROUNDS = 7;
/** Operations per timed sample: one alone is not much longer than reading the clock. */
const BATCH = 1_000;
const SIZES = [3, 10, 1_000];
const POLICIES: readonly PolicyName[] = [
  'round-robin',
  'weighted-round-robin',
  'random',
  'p2c',
  'peak-ewma',
];

const noop = (): Promise<number> => Promise.resolve(1);
const closers: (() => Promise<void> | void)[] = [];

async function main(): Promise<void> {
  const names: string[] = [];
  const samples = new Map<string, number[]>();
  const tasks = new Map<string, () => Promise<void> | void>();
  const add = (name: string, batch: () => Promise<void> | void): void => {
    names.push(name);
    tasks.set(name, batch);
  };

  for (const n of SIZES) {
    for (const policy of POLICIES) add(`pick ${policy} n=${String(n)}`, await picking(policy, n));
  }
  add('await an async no-op', repeated(noop));
  add('call, n=10', await calling({}));
  add('call, n=10, breaker off', await calling({ breaker: false }));
  add('opossum fire, default options', repeated(opossum({})));
  add('opossum fire, fenced', repeated(opossum(FENCED)));
  add(
    'p-retry, { retries: 1 }',
    repeated(() => pRetry(noop, { retries: 1 })),
  );

  for (let round = 0; round < ROUNDS; round++) {
    const bench = new Bench({ time: 60, warmupTime: 20 });
    for (const [name, batch] of tasks) bench.add(name, batch);
    await bench.run();
    for (const { name, result } of bench.tasks) {
      if (result.state !== 'completed') throw new Error(`${name}: ${result.state}`);
      samples.set(name, [...(samples.get(name) ?? []), (result.latency.p50 * 1e6) / BATCH]);
    }
  }

  const ns = (name: string): number => median(samples.get(name) ?? []);
  const fenced = ns('opossum fire, fenced');
  console.log(`Node ${process.version}, medians of ${String(ROUNDS)} interleaved rounds\n`);
  for (const name of names) {
    const ratio = name.startsWith('pick')
      ? ''
      : `   ${(ns(name) / fenced).toFixed(2)}x fenced opossum`;
    console.log(`${name.padEnd(38)} ${ns(name).toFixed(0).padStart(8)} ns${ratio}`);
  }
  for (const close of closers) await close();
}

/** An instance picked, its lease begun and ended; the breaker's share is shown by the calls. */
async function picking(policy: PolicyName, n: number): Promise<() => void> {
  const client = createClient({
    service: 'bench',
    discovery: instances(n),
    policy,
    breaker: false,
  });
  closers.push(() => client.close());
  await client.ready();
  return () => {
    for (let i = 0; i < BATCH; i++) client.pick().end('success');
  };
}

async function calling(options: { breaker?: false }): Promise<() => Promise<void>> {
  const client = createClient({ service: 'bench', discovery: instances(10), ...options });
  closers.push(() => client.close());
  await client.ready();
  const idempotent = { idempotent: true };
  return repeated(() => client.call(noop, idempotent));
}

const FENCED = {
  timeout: false,
  enableSnapshots: false,
  rollingPercentilesEnabled: false,
  volumeThreshold: 10,
} as const;

function opossum(options: CircuitBreaker.Options): () => Promise<number> {
  const breaker = new CircuitBreaker(noop, { ...options });
  closers.push(() => {
    breaker.shutdown();
  });
  return () => breaker.fire();
}

function instances(n: number): ReturnType<typeof memoryAdapter> {
  return memoryAdapter(
    Array.from({ length: n }, (_, i) => ({ host: '10.0.0.1', port: i + 1, weight: 1 + (i % 3) })),
  );
}

function repeated(fn: () => Promise<unknown>): () => Promise<void> {
  return async () => {
    for (let i = 0; i < BATCH; i++) await fn();
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

await main();
