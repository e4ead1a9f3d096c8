import { xxHash32 } from 'js-xxhash';

/** Texts of up to 128 characters, whatever they are, fit: UTF-8 needs at most 3 bytes for each. */
const bytes = new Uint8Array(384);
/** The first `length` bytes, by `length`. Made when first needed, so that no pick makes one. */
const views: (Uint8Array | undefined)[] = [];
const encoder = new TextEncoder();

/**
 * xxHash32 of the UTF-8 bytes of `text`, as an unsigned integer.
 *
 * 32 bits are enough for keys: two keys that collide share their instance, which does no harm, and n instances get
 * even shares of 2^32 hashes to n parts in 2^32. They are not enough to tell ids apart: see {@link mix}.
 *
 * The package, handed a string, makes a buffer per call and spends most of its time on that: hence our own.
 */
export function hash32(text: string, seed = 0): number {
  if (text.length * 3 > bytes.length) return xxHash32(text, seed);
  const { written } = encoder.encodeInto(text, bytes);
  return xxHash32((views[written] ??= bytes.subarray(0, written)), seed);
}

/**
 * Mixes `value` with the two hashes of an id into 32 uniform bits. For one id it is a permutation of the values; two
 * ids that collide in one of their hashes still get unequal results for every value.
 *
 * Source: the finalizer of MurmurHash3 (Austin Appleby, public domain), with the second hash put in halfway.
 */
export function mix(value: number, first: number, second: number): number {
  let h = value ^ first;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) ^ second;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Of its own, so that the part a key goes to says nothing of the instance it goes to there. */
const UNIT_SEED = 0x9e3779b9;

/** A hash of `text` in (0, 1), another one for each `salt`. */
export function unitHash(text: string, salt: string): number {
  return (hash32(text, hash32(salt, UNIT_SEED)) + 0.5) / 2 ** 32;
}
