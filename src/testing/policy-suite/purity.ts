import type { Check, Subject } from './case.js';
import { withoutAmbient } from './ambient.js';
import { Dice } from './dice.js';
import type { Member } from '../../instance-set.js';
import { Scene } from './scene.js';

/** Time and chance are parameters, and what is handed in is read only. */
export const purity: readonly Check[] = [
  {
    id: 'same-seed',
    title: 'picks the same again under the same seed',
    check(subject: Subject): void {
      const scene = new Scene(subject, subject.seed);
      const first = story(scene);
      const second = story(new Scene(subject, subject.seed));
      const at = first.findIndex((id, i) => id !== second[i]);
      if (at === -1) return;
      scene.fail(
        `pick ${String(at + 1)} to be ${first[at] ?? 'none'} again, from a second policy with the same seed and calls`,
        second[at] ?? 'none',
      );
    },
  },
  {
    id: 'ambient',
    title: 'takes time and chance from env and the call alone',
    check(subject: Subject): void {
      const scene = new Scene(subject, subject.seed);
      const used = withoutAmbient(() => story(scene));
      if (used.length === 0) return;
      scene.fail(
        'that build and pick take chance from env.rng and time from env.clock or context.nowMs',
        `a use of ${used.join(', ')}`,
      );
    },
  },
  {
    id: 'input-untouched',
    title: 'changes neither the list nor its records nor the call',
    check: checkInputUntouched,
  },
];

/** Calls with and without a key, an exclusion and changes of the list: the ids picked. */
function story(scene: Scene): string[] {
  const picked: string[] = [];
  const dice = new Dice(scene.seed);
  for (let round = 0; round < 10; round++) {
    const list = scene.members([3, 1, 2, 2, 1, 4]).filter(() => dice.chance(0.8));
    scene.build(dice.shuffled(list));
    for (let i = 0; i < 20; i++) {
      const excluded = [`c${String(dice.below(6))}`];
      const begun = scene.begin({
        excluded,
        hashKey: dice.chance(0.3) ? `key-${String(i)}` : undefined,
      });
      picked.push(begun?.id ?? 'none');
      scene.clock.step(dice.unit() * 100);
      if (dice.chance(0.7)) begun?.lease.end(dice.chance(0.2) ? 'failure' : 'success');
    }
  }
  return picked;
}

function checkInputUntouched(subject: Subject): void {
  const dice = new Dice(subject.seed);
  const scene = new Scene(subject, subject.seed);
  const idsOf = (list: readonly Member[]): string =>
    list.map(({ instance }) => instance.id).join(', ');
  const recordsOf = (list: readonly Member[]): string =>
    list.map(({ state }) => JSON.stringify(state)).join('\n');
  for (let round = 0; round < 20; round++) {
    const list = dice.shuffled(scene.members([5, 1, 4, 2, 3]));
    for (const { state } of list) {
      // Measured, so that building a picker gives nobody an estimate to start with.
      state.begin(scene.clock.now()).end('success');
      for (let i = dice.below(4); i > 0; i--) state.begin(scene.clock.now());
    }
    const [ids, records] = [idsOf(list), recordsOf(list)];
    // Frozen, so that strict code fails where it writes; compared, for code that is not strict.
    scene.build(Object.freeze(list.map((member) => Object.freeze(member))));
    for (let i = 0; i < 6; i++) {
      scene.pick({ excluded: ['c1'], hashKey: i < 3 ? undefined : `key-${String(i)}` });
    }
    if (idsOf(scene.list) !== ids) {
      scene.fail(`the list to stay in the order ${ids}`, idsOf(scene.list));
    }
    if (recordsOf(scene.list) !== records) {
      scene.fail(`the records to stay\n${records}\n`, `\n${recordsOf(scene.list)}\n`);
    }
  }
}
