import { isFairleadError } from '../../../src/errors.js';

/** The time for which a candidate leads. */
export interface Leadership {
  /** Grows with each leader: whatever is written is sent with it, and refused with a lower one than was seen before. */
  readonly fencingToken: number;
  /** Aborts when the candidate steps down. A timer may be late: `isLeader` is not. */
  readonly signal: AbortSignal;
}

export type LeaderTask = (leadership: Leadership) => Promise<void> | void;

interface LeadHost {
  whenLeader(): Promise<Leadership>;
  close(): Promise<void>;
  /** Lets a step-down wait for `work`, and the next lead. */
  track(work: Promise<void>): void;
  /** Tells what a task threw after its lead was over. */
  failedAfter(error: unknown): void;
}

/** Runs `task` each time the candidate is elected, one run after the other, until the election is closed. */
export async function leadWith(task: LeaderTask, host: LeadHost): Promise<void> {
  for (;;) {
    let leadership: Leadership;
    try {
      leadership = await host.whenLeader();
    } catch (error) {
      if (isFairleadError(error) && error.code === 'ERR_FAIRLEAD_CLOSED') return;
      throw error;
    }
    const { signal } = leadership;
    const run = new Promise<void>((resolve) => {
      resolve(task(leadership));
    });
    host.track(run);
    try {
      await run;
    } catch (error) {
      if (!signal.aborted) {
        // With nobody to work it must not be elected again.
        await host.close();
        throw error;
      }
      if (!isAbort(error, signal)) host.failedAfter(error);
    }
    // It may only have started things: the candidate leads on.
    await aborted(signal);
  }
}

/** What most functions reject with when their signal aborts; the second name is that of axios. */
function isAbort(error: unknown, { reason }: AbortSignal): boolean {
  return error === reason || (error instanceof Error && /^(Abort|Canceled)Error$/.test(error.name));
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else {
      signal.addEventListener(
        'abort',
        () => {
          resolve();
        },
        { once: true },
      );
    }
  });
}
