import type { Check, Subject } from './case.js';
import { Scene } from './scene.js';
import { drive, expectShares, inFlightSlack, weightsOf } from './traffic.js';

/** Calls, 50 seconds of them, before shares count: by then a policy that learns has tried every instance. */
const LEARNING = 1_000;

/** Who gets how much, over a list that stays. */
export const shares: readonly Check[] = [
  {
    id: 'equal-shares',
    title: 'gives equal instances equal shares',
    check(subject: Subject): void {
      for (const n of [2, 5]) {
        const scene = new Scene(subject, subject.seed + n);
        scene.build(scene.members(Array<number>(n).fill(3)));
        const expected = weightsOf(scene);
        const during = 'one call at a time';
        expectShares(scene, drive(scene, 4_000, { warmUp: LEARNING }), expected, { during });
        const concurrency = 20;
        expectShares(
          scene,
          drive(scene, 4_000, { concurrency, warmUp: 10 * concurrency }),
          expected,
          {
            during: `with ${String(concurrency)} in flight`,
            slack: inFlightSlack(scene, concurrency),
          },
        );
      }
    },
  },
  {
    id: 'weights',
    title: 'gives shares by weight, one call at a time',
    check(subject: Subject): void {
      for (const weights of [
        [1, 2, 3, 4],
        [5, 1],
      ]) {
        const scene = new Scene(subject, subject.seed + weights.length);
        scene.build(scene.members(weights));
        expectShares(scene, drive(scene, 10_000), weightsOf(scene), {
          during: 'one call at a time',
        });
      }
    },
  },
  {
    id: 'weights-in-flight',
    title: 'gives shares by weight, with many calls in flight',
    check(subject: Subject): void {
      const concurrency = 60;
      const scene = new Scene(subject, subject.seed);
      scene.build(scene.members([1, 2, 3, 4]));
      const counts = drive(scene, 10_000, { concurrency, warmUp: 10 * concurrency });
      expectShares(scene, counts, weightsOf(scene), {
        during: `with ${String(concurrency)} in flight, all equally fast`,
        slack: inFlightSlack(scene, concurrency),
      });
    },
  },
];
