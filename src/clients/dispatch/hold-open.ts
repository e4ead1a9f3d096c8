import type { AttemptContext } from '../../attempt-context.js';
import type { AbortTarget } from '../../caller.js';
import type { Outcome } from '../../types.js';

// What `Settling` does, by what a function's context has.

/** Tells `target` when the attempt's signal would abort; at once where it has. */
export function abortWith(attempt: AttemptContext, target: AbortTarget): void {
  attempt.onAbort((reason) => {
    target.abort(reason);
  });
}

/** Keeps the attempt in flight. @returns what ends it, with its outcome. */
export function holdOpen(attempt: AttemptContext): (outcome: Outcome) => void {
  let release!: (outcome: Outcome) => void;
  attempt.hold(
    new Promise((resolve) => {
      release = resolve;
    }),
  );
  return release;
}
