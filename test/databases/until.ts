import { setTimeout as sleep } from 'node:timers/promises';

const WITHIN_MS = 15_000;
const EVERY_MS = 10;

/** Asks `probe` again and again until it gives a truthy value, and returns that; fails, saying what it waited for. */
export async function until<T>(
  what: string,
  probe: () => Promise<T> | T,
): Promise<Exclude<T, false | 0 | '' | null | undefined>> {
  const endMs = performance.now() + WITHIN_MS;
  for (;;) {
    const found = await probe();
    if (found) return found as Exclude<T, false | 0 | '' | null | undefined>;
    if (performance.now() > endMs) {
      throw new Error(`not within ${WITHIN_MS} ms: ${what}`);
    }
    await sleep(EVERY_MS);
  }
}
