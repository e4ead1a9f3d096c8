import type { AttemptContext } from '../../attempt.js';
import type { Outcome } from '../../types.js';

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
