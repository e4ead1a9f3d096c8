/** Makes one call. Rejects unless it was answered as it should be. @param dueMs of it, by the wall clock. */
export type Send = (dueMs: number) => Promise<void>;

export interface LoopPlan {
  readonly perSecond: number;
  readonly forMs: number;
  /** How long it waits at the end for what is still under way, in ms. What is not over by then has failed. */
  readonly settleMs: number;
}

/** All calls of one run, in the order they were due. */
export interface Calls {
  /** When the first was due, by the wall clock; the others follow evenly. */
  readonly startMs: number;
  readonly everyMs: number;
  /** From when each was due to its end, in ms. */
  readonly latencyMs: readonly number[];
  /** How much later than due each was sent, in ms: the fault of the generator, and part of the latency. */
  readonly lagMs: readonly number[];
  /** Those that failed, and of what. */
  readonly failures: readonly { readonly call: number; readonly reason: string }[];
}

/**
 * Calls at a constant rate, whatever becomes of them. Latency is counted from when a call was due, so that a client that
 * falls behind does not look better for it (coordinated omission).
 */
export async function openLoop(
  send: Send,
  { perSecond, forMs, settleMs }: LoopPlan,
): Promise<Calls> {
  const everyMs = 1_000 / perSecond;
  const count = Math.floor(forMs / everyMs);
  const latencyMs = new Array<number>(count).fill(NaN);
  const lagMs = new Array<number>(count).fill(0);
  const failures: { call: number; reason: string }[] = [];
  const startedMs = performance.now();
  const startMs = Date.now();
  let underWay = count;

  const sendOne = async (call: number): Promise<void> => {
    const dueMs = call * everyMs;
    lagMs[call] = performance.now() - startedMs - dueMs;
    try {
      await send(startMs + dueMs);
    } catch (error) {
      failures.push({ call, reason: reasonOf(error) });
    }
    latencyMs[call] = performance.now() - startedMs - dueMs;
    underWay--;
  };

  await new Promise<void>((resolve) => {
    let next = 0;
    const tick = (): void => {
      const elapsedMs = performance.now() - startedMs;
      while (next < count && next * everyMs <= elapsedMs) void sendOne(next++);
      if (next < count) setTimeout(tick, next * everyMs - elapsedMs);
      else resolve();
    };
    tick();
  });
  const untilMs = performance.now() + settleMs;
  while (underWay > 0 && performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (let call = 0; call < count; call++) {
    if (!Number.isNaN(latencyMs[call])) continue;
    failures.push({ call, reason: 'never ended' });
    latencyMs[call] = performance.now() - startedMs - call * everyMs;
  }
  return { startMs, everyMs, latencyMs, lagMs, failures };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code: unknown = (error as { code?: unknown }).code;
  const text = typeof code === 'string' || typeof code === 'number' ? String(code) : error.message;
  return text.slice(0, 60);
}
