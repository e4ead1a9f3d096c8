import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRetryAfter } from '../../src/retry-after.js';

const DATE = 'Sun, 06 Nov 1994 08:49:00 GMT';

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    ['7', 7_000],
    [' 120 ', 120_000],
    ['86400', 86_400_000],
  ])('of %j seconds', (text, ms) => {
    expect(parseRetryAfter(text, undefined)).toBe(ms);
  });

  it('of more seconds than can be counted is finite, and no less than what can', () => {
    expect(parseRetryAfter('9'.repeat(400), undefined)).toBe(Number.MAX_SAFE_INTEGER);
    expect(parseRetryAfter('31536000000', undefined)).toBe(31_536_000_000_000);
  });

  // The three are the one example of RFC 9110, 5.6.7.
  it.each([
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
  ])('as the date %j, against a Date of any form', (date) => {
    expect(parseRetryAfter(date, DATE)).toBe(37_000);
    expect(parseRetryAfter(date, 'Sunday, 06-Nov-94 08:49:00 GMT')).toBe(
      date.includes('-') ? 37_000 : 0, // alone, two digits are of this century
    );
    expect(parseRetryAfter(date, 'Sun Nov  6 08:49:00 1994')).toBe(37_000);
  });

  it('takes a year of two digits for the nearest to the date of the reply', () => {
    const inADay = 'Saturday, 01-Jan-00 00:00:00 GMT';
    expect(parseRetryAfter(inADay, 'Fri, 31 Dec 1999 00:00:00 GMT')).toBe(86_400_000);
    expect(parseRetryAfter(inADay, 'Thu, 31 Dec 2099 00:00:00 GMT')).toBe(86_400_000);
  });

  it('as a date that has passed asks for no pause', () => {
    expect(parseRetryAfter('Sun, 06 Nov 1994 08:00:00 GMT', DATE)).toBe(0);
  });

  it('as a date says nothing in a reply without one', () => {
    for (const date of [undefined, null, '', 'today', 784_111_777_000]) {
      expect(parseRetryAfter('Sun, 06 Nov 1994 08:49:37 GMT', date)).toBeUndefined();
    }
  });

  it.each([
    undefined,
    null,
    7,
    '',
    '-1',
    '1.5', // Date.parse would make it a day in January 2001
    '1e3',
    '7 s',
    'soon',
    '2026-10-21T07:28:30Z',
    'Sun, 06 Foo 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 CET',
    'xSun, 06 Nov 1994 08:49:37 GMT',
  ])('is neither: %j', (text) => {
    expect(parseRetryAfter(text, DATE)).toBeUndefined();
  });

  it('is the difference of two dates, in every form', () => {
    const seconds = fc.integer({ min: 0, max: 4_102_444_799 }); // 1970 to 2099
    fc.assert(
      fc.property(seconds, fc.integer({ min: 0, max: 10_000_000 }), (sentAt, pause) => {
        const [sent, until] = [new Date(sentAt * 1_000), new Date((sentAt + pause) * 1_000)];
        for (const form of [imfFixdate, rfc850, asctime]) {
          expect(parseRetryAfter(form(until), imfFixdate(sent))).toBe(pause * 1_000);
        }
      }),
    );
  });
});

function imfFixdate(date: Date): string {
  return date.toUTCString();
}

function rfc850(date: Date): string {
  const [, day = '', month = '', year = '', time = ''] = date.toUTCString().split(' ');
  return `Wednesday, ${day}-${month}-${year.slice(-2)} ${time} GMT`;
}

function asctime(date: Date): string {
  const [, day = '', month = '', year = '', time = ''] = date.toUTCString().split(' ');
  return `Wed ${month} ${day.replace(/^0/, ' ')} ${time} ${year}`;
}
