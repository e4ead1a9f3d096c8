import type { CallOptions } from '../../call-options.js';
import type { Caller } from '../../caller.js';
import type { ClientView } from '../../client-view.js';
import type { Outcome } from '../../types.js';
import { abortWith, holdOpen } from './hold-open.js';

/** Makes a call of the client's for `caller`, which is told by callbacks. */
export function callFor(caller: Caller, client: ClientView, options: CallOptions): void {
  const { inside } = client;
  // Asked by identity: a proxy, or a spy in its place, has no more than the method, and is to be called.
  // eslint-disable-next-line @typescript-eslint/unbound-method
  if (inside?.owns(client.call) === true) inside.start(caller, options);
  else callByPromise(caller, client, options);
}

/** As options that anybody can copy. */
function plain(options: CallOptions): CallOptions {
  const { idempotent, hashKey, timeoutMs, attemptTimeoutMs, hedge, classify } = options;
  const { onAttempt, discard, signal } = options;
  return {
    idempotent,
    hashKey,
    timeoutMs,
    attemptTimeoutMs,
    hedge,
    classify,
    onAttempt,
    discard,
    signal,
    rules: (settled, instance) => options.rules?.(settled, instance),
    get replayable() {
      return options.replayable;
    },
  };
}

/** A client of the application's own making, around one of ours: it has no more than the methods that are told of. */
function callByPromise(caller: Caller, client: ClientView, options: CallOptions): void {
  const call = async (): Promise<unknown> =>
    await client.call(
      (attempt) =>
        new Promise((resolve, reject) => {
          let release: ((outcome: Outcome) => void) | undefined;
          caller.send(attempt, {
            settle(settled, isOpen) {
              if (isOpen === true) release = holdOpen(attempt);
              if (settled.ok) resolve(settled.value);
              else reject(settled.error);
            },
            release: (outcome) => release?.(outcome),
            abortsTo: (target) => {
              abortWith(attempt, target);
            },
          });
        }),
      plain(options),
    );
  // It may throw at once, or give no promise: a mock, say.
  call().then(
    (value) => {
      caller.end({ ok: true, value });
    },
    (error: unknown) => {
      caller.end({ ok: false, error });
    },
  );
}
