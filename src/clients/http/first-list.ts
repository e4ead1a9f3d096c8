import type { ClientView } from '../../client-view.js';
import { FairleadError } from '../../errors.js';

/**
 * Waits until the source has answered, and the roles that a view goes by are known, as a call does; whether there is
 * an instance then is another question.
 *
 * @throws {FairleadError} `ERR_FAIRLEAD_NOT_READY` after the client's `readyTimeoutMs`; the signal's reason.
 */
export function firstList(client: ClientView, signal: AbortSignal): Promise<void> {
  const { inside } = client;
  if (inside === undefined) return client.ready({ signal });
  const { set, selection, env, options } = inside;
  const { readyTimeoutMs } = options;
  return set.whenListed({
    until: () => set.isAnswered() && !selection.isPending(env.clock.now()),
    deadlineMs: env.clock.now() + readyTimeoutMs,
    signal,
    error: () => {
      const [, what] = selection.nothing();
      return new FairleadError(
        'ERR_FAIRLEAD_NOT_READY',
        `Service "${client.service}" was not ready within readyTimeoutMs ${String(readyTimeoutMs)}: ${what}${set.troubleText}.`,
        { cause: set.trouble },
      );
    },
  });
}
