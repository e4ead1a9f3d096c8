/**
 * Makes a million calls of all kinds and prints, as JSON, what is left of them: the heap after 100,000, 500,000 and
 * 1,000,000 calls, and what holds on to signals, timers and instances. Needs `--expose-gc`.
 */
import { getEventListeners } from 'node:events';
import { setImmediate as macrotask } from 'node:timers/promises';
import { type AttemptContext, type CallOptions, createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';

/** Calls under way at once: pauses and time limits, which take their time, overlap. */
const AT_ONCE = 100;
const WARM_UP = 100_000;
const CALLS = 1_000_000;

const client = createClient({
  service: 'orders',
  discovery: memoryAdapter(
    Array.from({ length: 10 }, (_, i) => ({ host: '127.0.0.1', port: i + 1 })),
  ),
  breaker: { consecutiveFailures: 1_000_000, minAttempts: 1_000_000 },
  hedge: { delayMs: 1, maxRatio: 1 },
  retry: { maxAttempts: 3, budget: { ratio: 1, minPerSecond: 10_000, windowMs: 1_000 } },
  maxConcurrency: { client: AT_ONCE - 10, perInstance: AT_ONCE, queueSize: AT_ONCE },
});
/** Lives as long as the process, as that of an application that shuts down gracefully. */
const shared = new AbortController();

const onceAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });

interface Kind {
  readonly fn: (context: AttemptContext) => unknown;
  readonly options?: CallOptions<unknown>;
}

const lost = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
const KINDS: readonly Kind[] = [
  { fn: () => 'ok' },
  { fn: () => Promise.resolve('ok'), options: { signal: shared.signal } },
  { fn: ({ signal }) => signal.aborted, options: { signal: shared.signal, timeoutMs: 50 } },
  { fn: () => 'ok', options: { onAttempt: () => undefined, hashKey: 'user-7', idempotent: true } },
  // Fails, is retried, and succeeds.
  {
    fn: ({ attempt }) => (attempt === 1 ? Promise.reject(lost) : 'ok'),
    options: { idempotent: true, signal: shared.signal },
  },
  // Fails for good.
  {
    fn: () => {
      throw new Error('a new one each time');
    },
    options: { fallback: 'stale' },
  },
  // Is slow, and hedged; the hedge wins, and the loser heeds its signal.
  {
    fn: ({ attempt, signal }) => (attempt === 1 ? onceAborted(signal) : 'ok'),
    options: { idempotent: true, timeoutMs: 300, signal: shared.signal },
  },
  // Reaches its deadline.
  { fn: ({ signal }) => onceAborted(signal), options: { timeoutMs: 2, signal: shared.signal } },
  // Holds its body for a moment.
  {
    fn: ({ hold }) => {
      hold(macrotask('success' as const));
      return 'headers';
    },
    options: { signal: shared.signal },
  },
  // Is cancelled by its caller.
  { fn: ({ signal }) => onceAborted(signal) },
];

/** How calls ended, and attempts. */
const counts = { resolved: 0, rejected: 0, first: 0, retry: 0, hedge: 0 };
client.on('attempt.ended', ({ kind }) => counts[kind]++);

const one = async ({ fn, options }: Kind, last: boolean): Promise<void> => {
  const stop = last ? new AbortController() : undefined;
  if (stop !== undefined) setImmediate(() => stop.abort());
  try {
    await client.call(fn, stop === undefined ? options : { signal: stop.signal });
    counts.resolved++;
  } catch {
    counts.rejected++;
  }
};

async function make(calls: number): Promise<void> {
  let begun = 0;
  const worker = async (): Promise<void> => {
    while (begun < calls) {
      const i = begun++ % KINDS.length;
      const kind = KINDS[i];
      if (kind !== undefined) await one(kind, i === KINDS.length - 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Once what is collected has been freed, which takes more than one pass: a first one only runs finalizers. */
async function heapBytes(): Promise<number> {
  for (let pass = 0; pass < 4; pass++) {
    await macrotask();
    globalThis.gc?.();
  }
  return process.memoryUsage().heapUsed;
}

await client.ready();
const heap: number[] = [];
let made = 0;
for (const at of [WARM_UP, CALLS / 2, CALLS]) {
  await make(at - made);
  made = at;
  heap.push(await heapBytes());
}
const { inFlight, queued, instances } = client.snapshot();
const timers = (): number =>
  process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
const timersOpen = timers();
await client.close();
console.log(
  JSON.stringify({
    counts,
    heap,
    listeners: getEventListeners(shared.signal, 'abort').length,
    inFlight,
    queued,
    pending: instances.reduce((sum, { pending }) => sum + pending, 0),
    attempts: instances.reduce((sum, { attempts }) => sum + attempts, 0),
    timersOpen,
    timersClosed: timers(),
  }),
);
