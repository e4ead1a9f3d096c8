import type { Settled } from '../types.js';

/** Cancels the body of a fetch `Response` nobody will read: until then it holds its connection. */
export function discardBody(settled: Settled): void {
  if (!settled.ok || typeof settled.value !== 'object' || settled.value === null) return;
  const { body } = settled.value as { body?: { cancel?: () => Promise<void> } | null };
  if (typeof body?.cancel === 'function') body.cancel().catch(() => undefined);
}
