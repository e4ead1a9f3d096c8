import type { Check, Subject } from './case.js';
import { percent } from './describe.js';
import { Scene } from './scene.js';
import { drive, expectShares, inFlightSlack, weightsOf } from './traffic.js';

const { MAX_VALUE, MIN_VALUE } = Number;

/** Every finite weight > 0 is allowed. Their sum may be infinite, their quotient zero or infinite. */
export const extremes: readonly Check[] = [
  {
    id: 'extreme-weights',
    title: 'picks something valid whatever the weights',
    check(subject: Subject): void {
      for (const weight of [MAX_VALUE, 1e300, 1e-300, MIN_VALUE]) {
        for (const n of [2, 3]) {
          const scene = new Scene(subject, subject.seed);
          scene.build(scene.members(Array<number>(n).fill(weight)));
          const counts = drive(scene, 1_000, { warmUp: 1_000 });
          expectShares(scene, counts, weightsOf(scene), {
            during: 'among equals of such a weight',
          });
        }
      }
      const mixed = new Scene(subject, subject.seed);
      mixed.build(mixed.members([1e-300, 1e300, 1, MAX_VALUE, MIN_VALUE, MAX_VALUE]));
      for (const concurrency of [1, 20]) drive(mixed, 200, { concurrency });
      for (let i = 0; i < 200; i++) mixed.pick({ hashKey: `key-${String(i)}` });
      for (const excluded of [['c3'], ['c3', 'c5'], ['c1', 'c3', 'c5'], ['c0', 'c4']]) {
        drive(mixed, 200, { concurrency: 20, call: { excluded } });
      }
    },
  },
  {
    id: 'extreme-shares',
    title: 'gives shares by weight however huge or tiny the weights',
    check(subject: Subject): void {
      const lopsided = new Scene(subject, subject.seed);
      lopsided.build(lopsided.members([1e-300, 1e300, 1]));
      // Until it has been measured once, a policy may try each of the light ones.
      const n = 1_000;
      const got = (drive(lopsided, n).get('c1') ?? 0) / n;
      if (got < 0.99) {
        lopsided.fail('c1 to get practically every call, 99 % or more', percent(got));
      }
      const concurrency = 60;
      for (const largest of [MAX_VALUE, 4e-300]) {
        const scene = new Scene(subject, subject.seed);
        scene.build(scene.members([largest, largest / 2, largest / 4, largest / 4]));
        const counts = drive(scene, 6_000, { concurrency, warmUp: 10 * concurrency });
        expectShares(scene, counts, weightsOf(scene), {
          during: `with ${String(concurrency)} in flight`,
          slack: inFlightSlack(scene, concurrency),
        });
      }
    },
  },
];
