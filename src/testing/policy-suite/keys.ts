import type { Subject } from './case.js';
import { Scene } from './scene.js';

export const KEYS = Array.from({ length: 2_000 }, (_, i) => `user-${String(i)}`);

/** The id of the candidate that each key has. */
export type Homes = ReadonlyMap<string, string>;

/** A scene of `n` candidates of weight 1. */
export function equals(subject: Subject, n: number, seed = subject.seed): Scene {
  const scene = new Scene(subject, seed);
  return scene.build(scene.members(Array<number>(n).fill(1)));
}

export function homesOf(scene: Scene): Homes {
  return new Map(KEYS.map((hashKey) => [hashKey, scene.pick({ hashKey })?.instance.id ?? 'none']));
}

/** Where each key goes while the candidate it has is excluded. */
export function secondsOf(scene: Scene, firsts: Homes): Homes {
  return new Map(
    [...firsts].map(([hashKey, first]) => {
      const second = scene.pick({ hashKey, excluded: [first] });
      return [hashKey, second?.instance.id ?? 'none'];
    }),
  );
}

/** The keys that are elsewhere now, and where. */
export function movesOf(before: Homes, now: Homes): Homes {
  return new Map([...now].filter(([key, id]) => before.get(key) !== id));
}

export function countHomes(homes: Homes): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const id of homes.values()) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

export function expectSame(scene: Scene, before: Homes, now: Homes, when: string): void {
  const moved = movesOf(before, now);
  for (const [hashKey, id] of moved) {
    const stayed = `${String(before.size - moved.size)} of ${String(before.size)} keys stayed`;
    scene.fail(`${before.get(hashKey) ?? 'none'} ${when}`, `${id} (${stayed})`, { hashKey });
  }
}
