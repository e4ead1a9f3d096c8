import { xxHash32 } from 'js-xxhash';
import { expect, it } from 'vitest';
import { hash32, mix } from '../src/hash.js';
import { chiSquare, chiSquareLimit } from './support/statistics.js';

it.each([
  ['', 0x02cc5d05],
  ['a', 0x550d7456],
  ['abc', 0x32d153ff],
  ['Nobody inspects the spammish repetition', 0xe2293b2f],
])('hash32 of %j is the published xxHash32', (text, hash) => {
  expect(hash32(text)).toBe(hash);
});

it.each([0, 1, 0x9e3779b9])('hash32 is xxHash32 of the UTF-8 bytes, seed %s', (seed) => {
  // Lengths on both sides of the buffer's end, and of 1 to 4 bytes per character; a lone surrogate becomes U+FFFD.
  const units = ['x', 'é', '語', '🚢', '\ud83d', 'aé語🚢'];
  for (const unit of units) {
    for (const length of [1, 2, 15, 16, 17, 63, 64, 65, 127, 128, 129, 300]) {
      const text = unit.repeat(length);
      expect(hash32(text, seed)).toBe(xxHash32(Buffer.from(text, 'utf8'), seed));
    }
  }
});

it('hash32 of a short text does not depend on the longer one before it', () => {
  const before = hash32('short');
  hash32('a much longer text than that');
  expect(hash32('short')).toBe(before);
});

it('mix is pinned: where every key goes depends on it', () => {
  // By hand from the finalizer of MurmurHash3: with a second hash of 0 it is exactly that.
  expect(mix(0, 0, 0)).toBe(0);
  expect(mix(1, 0, 0)).toBe(0x514e28b7);
  expect(mix(3, 2, 0)).toBe(0x514e28b7);
  expect(mix(0xffffffff, 0, 0)).toBe(0x81f16f39);
  expect(mix(0, 0, 1)).not.toBe(0);
});

it('mix of counted values is uniform in its high bits', () => {
  const counts = Array<number>(256).fill(0);
  for (let i = 0; i < 50_000; i++) {
    const high = mix(i, 0x12345678, 0x9abcdef0) >>> 24;
    counts[high] = (counts[high] ?? 0) + 1;
  }
  expect(chiSquare(counts, Array<number>(256).fill(1 / 256))).toBeLessThan(chiSquareLimit(255));
});

it.each([
  [5, 5, 7, 8],
  [5, 6, 7, 7],
])('mix is fair to ids that collide in one hash: (%i, %i), (%i, %i)', (a, b, c, d) => {
  const n = 20_000;
  let less = 0;
  let equal = 0;
  for (let i = 0; i < n; i++) {
    const value = Math.imul(i, 0x9e3779b1);
    const [one, two] = [mix(value, a, c), mix(value, b, d)];
    if (one < two) less++;
    if (one === two) equal++;
  }
  expect(equal).toBe(0);
  expect(chiSquare([less, n - less], [0.5, 0.5])).toBeLessThan(chiSquareLimit(1));
});
