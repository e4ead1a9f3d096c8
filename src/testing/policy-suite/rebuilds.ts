import type { Check, Subject } from './case.js';
import { Dice } from './dice.js';
import type { Member } from '../../instance-set.js';
import { Scene } from './scene.js';
import { drive, expectShares, inFlightSlack, weightsOf } from './traffic.js';

/** What of a policy's state survives when its list is built anew with the picker before. */
export const rebuilds: readonly Check[] = [
  {
    id: 'rebuild',
    title: 'gives equal shares while its list is rebuilt, and while instances join and leave',
    check(subject: Subject): void {
      const scene = new Scene(subject, subject.seed);
      const list = scene.members([1, 1, 1, 1, 1]);
      scene.build(list);
      const unchanged = drive(scene, 1_000, { before: () => scene.build(list) });
      expectShares(scene, unchanged, weightsOf(scene), {
        during: 'with the list rebuilt before each (does it begin at the same place every time?)',
      });

      const dice = new Dice(subject.seed);
      const stayers = new Map(['c0', 'c1', 'c3', 'c4'].map((id) => [id, 1]));
      const without = list.filter(({ instance }) => stayers.has(instance.id));
      const changed = drive(scene, 1_000, {
        before: () => {
          if (dice.chance(0.4)) scene.build(scene.list === list ? without : list);
        },
      });
      expectShares(scene, changed, stayers, {
        during: 'of those that stay while c2 joins and leaves',
      });
    },
  },
  {
    id: 'weights-through-rebuilds',
    title: 'gives shares by weight while its list is rebuilt',
    check(subject: Subject): void {
      // Turns at random phases that begin anew with every list give the heavy one 62 %.
      const concurrency = 200;
      const scene = new Scene(subject, subject.seed);
      const list = scene.members([6, 1, 1, 1, 1, 1, 1]);
      scene.build(list);
      const counts = drive(scene, 1_000, {
        concurrency,
        warmUp: 10 * concurrency,
        before: () => scene.build(list),
      });
      expectShares(scene, counts, weightsOf(scene), {
        during: `with the list rebuilt before each, ${String(concurrency)} in flight`,
        slack: inFlightSlack(scene, concurrency),
      });
    },
  },
  {
    id: 'reorder',
    title: 'gives equal shares while its list comes in ever another order',
    check(subject: Subject): void {
      const dice = new Dice(subject.seed);
      const orders: Readonly<Record<string, (list: readonly Member[]) => Member[]>> = {
        // A place kept as a number meets the same instance again and again.
        'rotated to the left': (list) => [...list.slice(1), ...list.slice(0, 1)],
        'rotated to the right': (list) => [...list.slice(-1), ...list.slice(0, -1)],
        shuffled: (list) => dice.shuffled(list),
      };
      for (const [how, reordered] of Object.entries(orders)) {
        const scene = new Scene(subject, subject.seed);
        scene.build(scene.members([1, 1, 1, 1]));
        const counts = drive(scene, 500, { before: () => scene.build(reordered(scene.list)) });
        expectShares(scene, counts, weightsOf(scene), {
          during: `with the list ${how} before each`,
        });
      }
    },
  },
];
