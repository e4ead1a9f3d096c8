import type { Verdict } from '../types.js';

export const SUCCESS: Verdict = { outcome: 'success', retry: 'never' };
/** Says nothing of the instance, and asking again is vain. */
export const IGNORED: Verdict = { outcome: 'ignored', retry: 'never' };
/** The instance may have acted on it. */
export const FAILED: Verdict = { outcome: 'failure', retry: 'if-idempotent' };
/** The same instance would say the same again; it may have acted on it. */
export const FAILED_HERE: Verdict = { ...FAILED, where: 'elsewhere' };
/** The instance is to blame, and provably has not acted on it. */
export const UNSENT: Verdict = { outcome: 'failure', retry: 'always' };
/** The same, and it would be so again. */
export const UNSENT_HERE: Verdict = { ...UNSENT, where: 'elsewhere' };
/** Asks for less; it may have acted on it. */
export const OVERLOADED: Verdict = { outcome: 'overload', retry: 'if-idempotent' };
/** Asks for less, and has not acted on it. */
export const REFUSED: Verdict = { outcome: 'overload', retry: 'always' };
/** Nobody's fault, and nobody has acted on it. */
export const NOT_TAKEN: Verdict = { outcome: 'ignored', retry: 'always' };
/** The same, and it would be so again. */
export const NOT_TAKEN_HERE: Verdict = { ...NOT_TAKEN, where: 'elsewhere' };
/** Nobody's fault: a connection was closed at the moment it was used. The instance may have acted on it. */
export const CLOSED: Verdict = { outcome: 'ignored', retry: 'if-idempotent' };
