import { shareTolerance } from '../statistics.js';
import type { Check, Subject } from './case.js';
import { percent } from './describe.js';
import { countHomes, equals, homesOf, KEYS, movesOf } from './keys.js';
import type { Scene } from './scene.js';

/** Moves of keys as the list changes, with the policy's memory of the list before. */
export const rehashing: readonly Check[] = [
  {
    id: 'hash-join',
    title: 'moves few keys when an instance joins, and those to it',
    check(subject: Subject): void {
      const scene = equals(subject, N);
      const before = homesOf(scene);
      scene.build(scene.list.toSpliced(4, 0, scene.member('new')));
      const moved = movesOf(before, homesOf(scene));
      expectFew(scene, moved.size, `${String(N)} instances and one more`);
      const toNew = [...moved.values()].filter((id) => id === 'new').length;
      // As many again may move between the others: see `expectFew`. Under a chance split of half, 4.5 sigma down.
      const least = moved.size / 2 - 4.5 * Math.sqrt(moved.size / 4);
      if (toNew >= least) return;
      scene.fail(
        `most of the ${String(moved.size)} keys that moved to be at the new instance, ${least.toFixed(0)} at least`,
        String(toNew),
      );
    },
  },
  {
    id: 'hash-join-share',
    title: 'gives an instance that joins its share of the keys',
    check(subject: Subject): void {
      const scene = equals(subject, N);
      homesOf(scene);
      scene.build(scene.list.toSpliced(4, 0, scene.member('new')));
      const got = (countHomes(homesOf(scene)).get('new') ?? 0) / KEYS.length;
      const share = 1 / (N + 1);
      // Half as much more or less: a ring of 1,024 points gives each 93, whose share is off by 10 %, one sigma.
      const tolerance = share / 2 + shareTolerance(share, KEYS.length);
      if (Math.abs(got - share) <= tolerance) return;
      scene.fail(
        `the new instance to get ${percent(share)} +- ${percent(tolerance)} of the keys`,
        percent(got),
      );
    },
  },
  {
    id: 'hash-leave',
    title: 'moves hardly any keys but those of an instance that leaves',
    check(subject: Subject): void {
      const scene = equals(subject, N + 1);
      const before = homesOf(scene);
      scene.build(scene.list.filter(({ instance }) => instance.id !== 'c3'));
      const moved = movesOf(before, homesOf(scene));
      expectFew(scene, moved.size, `${String(N + 1)} instances less c3`);
    },
  },
];

const N = 10;

/**
 * One of n that joins or leaves must move 1/n of the keys. As many again are allowed: a table or ring of a fixed size
 * is shared out anew.
 */
function expectFew(scene: Scene, moved: number, change: string): void {
  const share = 2 / (N + 1);
  const most = share + shareTolerance(share, KEYS.length);
  if (moved / KEYS.length <= most) return;
  scene.fail(
    `at most ${percent(most)} of ${String(KEYS.length)} keys to move (${change})`,
    percent(moved / KEYS.length),
  );
}
