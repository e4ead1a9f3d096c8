import type { Check, Subject } from './case.js';
import { Dice } from './dice.js';
import type { Member } from '../../instance-set.js';
import type { Call } from './call.js';
import { Scene } from './scene.js';

/** Which candidates may be picked at all. What is picked is checked by the scene itself. */
export const eligibility: readonly Check[] = [
  {
    id: 'never-excluded',
    title: 'never picks an excluded candidate',
    check(subject: Subject): void {
      inRandomScenes(subject, 300, (scene, dice) => {
        const ids = scene.list.map(({ instance }) => instance.id);
        for (let i = 0; i < 4; i++) {
          scene.begin({ excluded: ids.filter(() => dice.chance(0.5)), hashKey: someKey(dice) });
        }
      });
    },
  },
  {
    id: 'finds-what-is-left',
    title: 'finds the one candidate left, however many are excluded',
    check(subject: Subject): void {
      inRandomScenes(subject, 100, (scene, dice) => {
        findEach(scene, scene.list, dice);
      });
      // One of the lightest among a thousand, with more in flight than any other.
      const dice = new Dice(subject.seed);
      const scene = new Scene(subject, subject.seed);
      scene.build(scene.members(Array.from({ length: 1_000 }, (_, i) => (i % 2 === 0 ? 1e6 : 1))));
      const left = [1, 999, 501].flatMap((place) => scene.list[place] ?? []);
      for (const { state } of left) state.begin(scene.clock.now());
      findEach(scene, left, dice);
    },
  },
  {
    id: 'none-left',
    title: 'picks undefined when none is left, and goes on when one is',
    check(subject: Subject): void {
      for (const n of [0, 1, 2, 5, 50]) {
        const scene = new Scene(subject, subject.seed + n);
        scene.build(scene.members(Array<number>(n).fill(1)));
        const all = scene.list.map(({ instance }) => instance.id);
        for (const hashKey of [undefined, 'key']) {
          expectNone(scene, { excluded: all, hashKey });
          expectNone(scene, { excluded: [...all, 'stranger'], hashKey });
          // The scene sees to it that these pick something.
          scene.begin({ hashKey });
          scene.begin({ excluded: ['stranger'], hashKey });
        }
      }
    },
  },
  {
    id: 'lone',
    title: 'picks a lone candidate whatever its load',
    check(subject: Subject): void {
      for (const weight of [1, 1e-300, Number.MAX_VALUE]) {
        const scene = new Scene(subject, subject.seed);
        scene.build(scene.members([weight]));
        const leases = Array.from({ length: 50 }, () => scene.begin()?.lease);
        scene.clock.step(60_000);
        for (const lease of leases.slice(25)) lease?.end('failure');
        for (const hashKey of [undefined, 'a', 'b', 'c']) scene.pick({ hashKey });
      }
    },
  },
];

/** Lists of up to 8 with weights from 0.01 to 1,000 and records of every kind: fresh, busy, slow, failing. */
function inRandomScenes(
  subject: Subject,
  runs: number,
  run: (scene: Scene, dice: Dice) => void,
): void {
  for (let seed = subject.seed; seed < subject.seed + runs; seed++) {
    const dice = new Dice(seed);
    const scene = new Scene(subject, seed);
    const weights = Array.from({ length: 1 + dice.below(8) }, () => 10 ** (dice.unit() * 5 - 2));
    const list = scene.members(weights);
    for (const member of list) liveThrough(scene, member, dice);
    run(scene.build(list), dice);
  }
}

function liveThrough(scene: Scene, { state }: Member, dice: Dice): void {
  for (let i = dice.below(4); i > 0; i--) {
    const lease = state.begin(scene.clock.now());
    scene.clock.step(dice.unit() * 500);
    if (dice.chance(0.3)) lease.report({ qps: dice.unit() * 100, utilization: dice.unit() });
    lease.end(dice.chance(0.3) ? 'failure' : 'success');
  }
  for (let i = dice.below(5); i > 0; i--) state.begin(scene.clock.now());
}

function findEach(scene: Scene, wanted: readonly Member[], dice: Dice): void {
  const ids = scene.list.map(({ instance }) => instance.id);
  for (const { instance } of wanted) {
    const excluded = ids.filter((id) => id !== instance.id);
    for (let i = 0; i < 3; i++) scene.pick({ excluded, hashKey: someKey(dice) });
  }
}

function expectNone(scene: Scene, call: Call): void {
  const picked = scene.pick(call);
  if (picked !== undefined) scene.fail('undefined, as none is left', picked.instance.id, call);
}

/** Policies that heed no key are to pick the same with one. */
function someKey(dice: Dice): string | undefined {
  return dice.chance(0.5) ? `key-${String(dice.below(1_000))}` : undefined;
}
