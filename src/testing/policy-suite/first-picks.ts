import { shareTolerance } from '../statistics.js';
import type { Check, Subject } from './case.js';
import { percent } from './describe.js';
import { Scene } from './scene.js';
import { expectShares, weightsOf } from './traffic.js';

/**
 * Where new pickers begin. Many clients start, or get a new list, at the same time: what their first picks favour is
 * overrun (envoy#31378).
 */
export const firstPicks: readonly Check[] = [
  {
    id: 'first-pick-by-place',
    title: 'favours no place in the list with its first picks',
    check(subject: Subject): void {
      const { scene, rounds } = startMany(subject, [1, 1, 1, 1, 1]);
      rounds.forEach((counts, round) => {
        const during = `number ${String(round + 1)} of new pickers`;
        expectShares(scene, counts, weightsOf(scene), { during });
      });

      // A heavy one begins equally often wherever it stands.
      const places = [0, 2, 4];
      const starts = places.map((place) => {
        const started = startMany(
          subject,
          places.flatMap((at) => (at === place ? [4, 1] : [1, 1])),
        );
        const heavy = started.scene.list.find(({ instance }) => instance.weight === 4);
        const share = (started.rounds[0]?.get(heavy?.instance.id ?? '') ?? 0) / STARTS;
        return { scene: started.scene, place, share };
      });
      const mean = starts.reduce((sum, { share }) => sum + share, 0) / starts.length;
      // A share of the three differs from their mean with 2/3 of the variance of one alone: no need for more.
      const tolerance = shareTolerance(mean, STARTS);
      for (const { scene: started, place, share } of starts) {
        if (Math.abs(share - mean) <= tolerance) continue;
        started.fail(
          `the heavy one to be picked first by ${percent(mean)} +- ${percent(tolerance)} of new pickers wherever it stands`,
          `${percent(share)} at place ${String(place)} of the list`,
        );
      }
    },
  },
  {
    id: 'first-pick-by-weight',
    title: 'does not begin with the heaviest instance every time',
    check(subject: Subject): void {
      const { scene, rounds } = startMany(subject, [2, 2, 3, 2]);
      const got = (rounds[0]?.get('c2') ?? 0) / STARTS;
      // Random phases (earliest deadline first) give the heavy one 37 %, equal chances 25 %, always the heaviest 100 %.
      const [least, most] = [1 / 3 / 1.5, (1 / 3) * 1.5];
      if (got >= least && got <= most) return;
      scene.fail(
        `c2, a third of the weight, to be picked first by ${percent(least)} to ${percent(most)} of new pickers`,
        percent(got),
      );
    },
  },
];

/** Few enough for policies whose lists take a millisecond to build. */
const STARTS = 400;

/** The first picks of many new pickers over the same list, as many from each as it is long: counts by round. */
function startMany(
  subject: Subject,
  weights: readonly number[],
): { scene: Scene; rounds: readonly ReadonlyMap<string, number>[] } {
  const rounds = weights.map(() => new Map<string, number>());
  let scene = new Scene(subject, subject.seed);
  // One policy object may serve many clients, and no picker knows of the others'.
  const { policy } = scene;
  for (let i = 0; i < STARTS; i++) {
    scene = new Scene(subject, subject.seed + i, policy);
    scene.build(scene.members(weights));
    for (const counts of rounds) {
      const id = scene.begin()?.id ?? 'none';
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  }
  return { scene, rounds };
}
