/**
 * A Retry-After header in ms, from seconds or an HTTP date; `undefined` when it is neither. A date is held
 * against the `Date` header of the same reply, so the two clocks need not agree (RFC 9110, 10.2.3); without one it
 * says nothing. A pause is not capped: one of more seconds than a number can count exactly becomes the longest that it
 * can (some 285,000 years), for Infinity is no pause.
 */
export function parseRetryAfter(retryAfter: unknown, date: unknown): number | undefined {
  if (typeof retryAfter !== 'string') return undefined;
  const text = retryAfter.trim();
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1_000, Number.MAX_SAFE_INTEGER);
  const sentMs = typeof date === 'string' ? parseHttpDate(date.trim()) : undefined;
  if (sentMs === undefined) return undefined;
  const untilMs = parseHttpDate(text, new Date(sentMs).getUTCFullYear());
  return untilMs === undefined ? undefined : Math.max(0, untilMs - sentMs);
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** The three forms that a recipient must accept (RFC 9110, 5.6.7): IMF-fixdate, and the obsolete RFC 850 and asctime. */
const FORMS = [
  /^\w{3}, (?<day>\d\d) (?<month>\w{3}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) GMT$/,
  /^\w{6,9}, (?<day>\d\d)-(?<month>\w{3})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) GMT$/,
  /^\w{3} (?<month>\w{3}) (?<day>[ \d]\d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/,
];

/**
 * `Date.parse` will not do: it takes asctime for local time, and reads dates into numbers.
 *
 * @param near a year of two digits is the one nearest to this; by default it is of this century.
 */
function parseHttpDate(text: string, near = 2049): number | undefined {
  for (const form of FORMS) {
    const { day, month = '', year = '', time = '' } = form.exec(text)?.groups ?? {};
    if (day === undefined) continue;
    const monthIndex = MONTHS.indexOf(month);
    if (monthIndex < 0) return undefined;
    const [hours, minutes, seconds] = time.split(':').map(Number);
    const short = Number(year);
    const full = year.length === 2 ? short + 100 * Math.round((near - short) / 100) : short;
    return Date.UTC(full, monthIndex, Number(day), hours, minutes, seconds);
  }
  return undefined;
}
