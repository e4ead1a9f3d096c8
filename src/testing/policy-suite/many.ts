import { shareTolerance } from '../statistics.js';
import type { Check, Subject } from './case.js';
import { percent } from './describe.js';
import { Scene } from './scene.js';
import { drive } from './traffic.js';

const MANY = 10_000;

/** Large lists. Few picks, so that a policy that walks the list on every pick gets through. */
export const many: readonly Check[] = [
  {
    id: 'many',
    title: 'picks from all over a list of 10,000',
    check(subject: Subject): void {
      const scene = new Scene(subject, subject.seed);
      const list = scene.members(Array<number>(MANY).fill(1));
      const front = new Set(list.slice(0, MANY / 2).map(({ instance }) => instance.id));
      // All in one half, by chance: once in 2,048.
      const starts = 12;
      let inFront = 0;
      for (let i = 0; i < starts; i++) {
        scene.forget().build(list);
        if (front.has(scene.pick()?.instance.id ?? '')) inFront++;
        drive(scene, 20, { concurrency: 10 });
        scene.pick({ excluded: ['c0', 'c5000', 'c9999'] });
      }
      if (inFront > 0 && inFront < starts) return;
      scene.fail(
        'new pickers to begin in either half of the list',
        `${String(inFront)} of ${String(starts)} that begin in the first half`,
      );
    },
  },
  {
    id: 'many-weights',
    title: 'gives the heavy ones among 10,000 their share',
    check(subject: Subject): void {
      const scene = new Scene(subject, subject.seed);
      const weights = Array.from({ length: MANY }, (_, place) => (place % 2 === 0 ? 1 : 3));
      scene.build(scene.members(weights));
      const n = 600;
      const counts = drive(scene, n, { concurrency: 100 });
      const heavy = scene.list.filter(({ instance }) => instance.weight === 3);
      const picks = heavy.reduce((sum, { instance }) => sum + (counts.get(instance.id) ?? 0), 0);
      // At least: with less in flight than there are instances, a load-aware policy rightly sends all to the heavy.
      const least = 0.75 - shareTolerance(0.75, n);
      if (picks / n >= least) return;
      scene.fail(
        `the heavy half, 75 % of the weight, to get at least ${percent(least)} of ${String(n)} picks`,
        percent(picks / n),
      );
    },
  },
];
