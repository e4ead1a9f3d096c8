import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

/** The heap may grow by so much from the 100,000th call to the millionth: half a byte per call. */
const MOST_GROWTH = 0.05;

interface Report {
  readonly counts: Readonly<Record<'resolved' | 'rejected' | 'first' | 'retry' | 'hedge', number>>;
  readonly heap: readonly [number, number, number];
  readonly listeners: number;
  readonly inFlight: number;
  readonly queued: number;
  readonly pending: number;
  readonly timersOpen: number;
  readonly timersClosed: number;
}

it('a million calls of all kinds leave nothing behind', { timeout: 300_000 }, async () => {
  const child = fileURLToPath(new URL('memory-process.ts', import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', '--import', 'tsx', child],
    { timeout: 290_000 },
  );
  expect(stderr, 'no warning of a leak').toBe('');
  const { counts, heap, ...left } = JSON.parse(stdout) as Report;
  const { resolved, rejected, ...attempts } = counts;
  expect(resolved + rejected).toBe(1_000_000);
  // A tenth of them each are made to fail, retried, and hedged; a slow machine may hedge a few less.
  expect(rejected).toBeGreaterThan(150_000);
  expect(attempts.retry).toBeGreaterThan(80_000);
  expect(attempts.hedge).toBeGreaterThan(20_000);
  expect(left).toMatchObject({
    listeners: 0,
    inFlight: 0,
    queued: 0,
    pending: 0,
    timersOpen: 0,
    timersClosed: 0,
  });
  const [warm, half, all] = heap;
  console.log(`heap after 100,000, 500,000 and 1,000,000 calls: ${heap.map(inMB).join(', ')} MB`);
  expect(half / warm - 1).toBeLessThan(MOST_GROWTH);
  expect(all / warm - 1).toBeLessThan(MOST_GROWTH);
});

function inMB(bytes: number): string {
  return (bytes / 1e6).toFixed(2);
}
