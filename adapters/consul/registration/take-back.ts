import type { Clock } from '../../../src/types.js';
import type { Presence } from './presence.js';
import type { Upkeep } from './upkeep.js';

/** An agent that was slow may carry out the registration after it was taken back. */
const LOOK_AGAIN_MS = 2_500;
const LOOK_AGAIN_DEADLINE_MS = 1_000;

/** Takebacks under way, by the pool of the agent and the id of the service. */
const underWay = new WeakMap<object, Map<string, AbortController>>();

export interface TakeBackParts {
  readonly presence: Presence;
  readonly upkeep: Upkeep;
  readonly clock: Clock;
  /** Called at the end of it all. */
  readonly onEnd: () => void;
}

/**
 * Ends a start that failed, and takes back what it may have left at the agent. Goes on in the background, for 6.5 s at
 * most, until the agent has surely no more of it, or the same service is started again.
 *
 * @param pool the same for all services of an agent.
 * @returns resolves when the agent was told, or could not be within 3 s. Never rejects.
 */
export async function takeBack(
  pool: object,
  id: string,
  { presence, upkeep, clock, onEnd }: TakeBackParts,
): Promise<void> {
  // Only what may be ours: another process may have registered under this id before.
  if (!presence.mayBeRegistered) {
    onEnd();
    return;
  }
  const ids = underWay.get(pool) ?? new Map<string, AbortController>();
  underWay.set(pool, ids);
  callOffTakeBack(pool, id);
  const end = new AbortController();
  ids.set(id, end);
  await upkeep.end(end.signal);

  const lookAgain = async (): Promise<void> => {
    if (!presence.mayComeLate) return;
    await clock.sleep(LOOK_AGAIN_MS, end.signal);
    await presence.leave({ deadlineMs: LOOK_AGAIN_DEADLINE_MS, signal: end.signal });
  };
  void lookAgain()
    .catch(() => undefined) // called off, or there is nothing more to be done
    .finally(() => {
      if (ids.get(id) === end) ids.delete(id);
      onEnd();
    });
}

/** A service that is started again must not be taken back for the start before. */
export function callOffTakeBack(pool: object, id: string): void {
  underWay.get(pool)?.get(id)?.abort(new Error('the service is started again'));
}
