/**
 * A Retry-After header in ms, from seconds or an HTTP date; `undefined` when it is neither. A date is held
 * against the `Date` header of the same reply, so the two clocks need not agree (RFC 9110, 10.2.3).
 */
export function parseRetryAfter(retryAfter: unknown, date: unknown): number | undefined {
  if (typeof retryAfter !== 'string') return undefined;
  const text = retryAfter.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const untilMs = Date.parse(text) - Date.parse(String(date));
  return Number.isNaN(untilMs) ? undefined : Math.max(0, untilMs);
}
