import type { Check, Subject } from './case.js';
import { percent } from './describe.js';
import { countHomes, equals, expectSame, homesOf, secondsOf } from './keys.js';
import { Scene } from './scene.js';
import { expectShares, weightsOf } from './traffic.js';

/** Consistent hashing: keys that stay, over one list and several clients. */
export const hashing: readonly Check[] = [
  {
    id: 'hash-sticks',
    title: 'gives a key the same candidate every time',
    check(subject: Subject): void {
      const scene = equals(subject, 5);
      const before = homesOf(scene);
      for (let i = 0; i < 50; i++) scene.begin()?.lease.end('success');
      expectSame(scene, before, homesOf(scene), 'asked again');
      scene.build([...scene.list]);
      expectSame(scene, before, homesOf(scene), 'after a rebuild with the same list');
    },
  },
  {
    id: 'hash-agrees',
    title: 'gives a key the same candidate in every client',
    check(subject: Subject): void {
      const here = equals(subject, 5);
      // What the other client did before must not matter either.
      const there = equals(subject, 5, subject.seed + 1);
      for (let i = 0; i < 50; i++)
        there.begin({ hashKey: `else-${String(i)}` })?.lease.end('success');
      expectSame(there, homesOf(here), homesOf(there), 'in a client with another seed');
    },
  },
  {
    id: 'hash-order',
    title: 'gives a key the same candidate whatever the order of the list',
    check(subject: Subject): void {
      const scene = equals(subject, 5);
      const other = new Scene(subject, subject.seed);
      const list = other.members([1, 1, 1, 1, 1]);
      other.build([...list.slice(2).reverse(), ...list.slice(0, 2)]);
      expectSame(other, homesOf(scene), homesOf(other), 'with the list in another order');
    },
  },
  {
    id: 'hash-address',
    title: 'gives a key the same candidate after a redeploy to new addresses',
    check(subject: Subject): void {
      const scene = equals(subject, 5);
      const other = new Scene(subject, subject.seed);
      const ids = scene.list.map(({ instance }) => instance.id);
      other.build(ids.map((id, i) => other.member(id, 1, `10.0.0.${String(9 - i)}`)));
      expectSame(other, homesOf(scene), homesOf(other), 'with new addresses under the same ids');
    },
  },
  {
    id: 'hash-weights',
    title: 'spreads keys by weight',
    check(subject: Subject): void {
      const scene = new Scene(subject, subject.seed);
      scene.build(scene.members([1, 2, 4]));
      const counts = countHomes(homesOf(scene));
      // On a ring of P points a share s is off by sqrt(s * (1 - s) / P): 0.0155 at most for 1,024 points, times 4.5.
      expectShares(scene, counts, weightsOf(scene), { during: 'of different keys', slack: 0.07 });
    },
  },
  {
    id: 'hash-second-choice',
    title: 'gives a key the same second choice every time its first is excluded',
    check(subject: Subject): void {
      const scene = equals(subject, 5);
      const firsts = homesOf(scene);
      const seconds = secondsOf(scene, firsts);
      expectSame(scene, seconds, secondsOf(scene, firsts), 'with its first choice excluded again');
      expectSame(scene, firsts, homesOf(scene), 'once nothing is excluded any more');
    },
  },
  {
    id: 'hash-second-spread',
    title: 'spreads the keys of an excluded candidate over all others',
    check(subject: Subject): void {
      const scene = equals(subject, 5);
      const firsts = homesOf(scene);
      const ofOne = new Map([...firsts].filter(([, id]) => id === 'c0'));
      const counts = countHomes(secondsOf(scene, ofOne));
      for (const id of ['c1', 'c2', 'c3', 'c4']) {
        const share = (counts.get(id) ?? 0) / ofOne.size;
        // Fair is a quarter. A third of that is far beyond chance and the grain of a ring, and no avalanche.
        if (share >= 0.25 / 3) continue;
        scene.fail(
          `${id} to get at least ${percent(0.25 / 3)} of the ${String(ofOne.size)} keys of c0 while c0 is excluded`,
          percent(share),
        );
      }
    },
  },
];
