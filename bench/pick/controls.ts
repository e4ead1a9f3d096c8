import type { Subject } from './subject.js';

/**
 * The least that power of two choices can cost: two draws over plain objects of two fields, and the lesser count of
 * what is in flight. It leaves out weights, exclusions, a load to choose, and that both draws may be the same. With
 * `Math.random`, and with a generator of four operations; Fairlead's own has a few more.
 */
export const floors: readonly Subject[] = [
  ['P2C by hand, Math.random', () => Math.random] as const,
  ['P2C by hand, xorshift', xorshift] as const,
].map(([name, generator]) => ({
  library: 'floor',
  name,
  prepare(n) {
    const servers = Array.from({ length: n }, (_, i) => ({ port: i + 1, pending: (i * 7) % 6 }));
    const next = generator();
    return {
      pick(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) {
          const a = servers[Math.floor(next() * n)];
          const b = servers[Math.floor(next() * n)];
          if (a !== undefined && b !== undefined) sum += (b.pending < a.pending ? b : a).port;
        }
        return sum;
      },
    };
  },
}));

/** Whether the way bytes are counted can be trusted: what each allocates per turn is known. */
export const controls: readonly (Subject & { readonly bytes: number })[] = [
  {
    library: 'control',
    name: 'nothing',
    bytes: 0,
    prepare: () => ({ pick: (times) => times }),
  },
  {
    library: 'control',
    name: 'an object of three fields',
    // Three header words and three fields, 8 bytes each.
    bytes: 48,
    prepare() {
      const kept: unknown[] = [undefined];
      return {
        pick(times) {
          for (let i = 0; i < times; i++) kept[0] = { a: i, b: i, c: i };
          return times;
        },
      };
    },
  },
];

/** Random numbers of four operations each. */
export function xorshift(): () => number {
  let state = 0x9e3779b9 | 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
