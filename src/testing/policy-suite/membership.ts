import { createClient } from '../../client.js';
import type { InstanceSpec } from '../../types.js';
import { ManualClock, settle } from '../manual-clock.js';
import { memoryAdapter } from '../memory-adapter.js';
import { seededRng } from '../seeded-rng.js';
import { type Check, PolicyViolation, type Subject } from './case.js';
import { Dice } from './dice.js';
import { Scene } from './scene.js';

/** Lists that change: who is gone is gone, and what is picked stands in the newest list. */
export const membership: readonly Check[] = [
  {
    id: 'own-candidates',
    title: 'picks the very objects of its newest list, never one of an older list',
    check(subject: Subject): void {
      const dice = new Dice(subject.seed);
      const scene = new Scene(subject, subject.seed);
      for (let round = 0; round < 60; round++) {
        // Some leave, some join, some come as a new object (a new weight or address), some stay as they are.
        const before = new Map(scene.list.map((member) => [member.instance.id, member]));
        const list = Array.from({ length: 8 }, (_, i) => `c${String(i)}`)
          .filter(() => dice.chance(0.6))
          .map((id) => (dice.chance(0.5) ? before.get(id) : undefined) ?? scene.member(id));
        scene.build(dice.shuffled(list));
        for (let i = 0; i < 20; i++) {
          const hashKey = i % 2 === 0 ? undefined : `key-${String(i)}`;
          scene.begin({ hashKey })?.lease.end('success');
        }
      }
    },
  },
  {
    id: 'draining',
    title: 'in a client, sends nothing to an instance that drains or was removed',
    check: checkDraining,
  },
];

const PICKS = 60;

async function checkDraining({ makePolicy, seed }: Subject): Promise<void> {
  const specs = (weights: Readonly<Record<string, number>>): InstanceSpec[] =>
    Object.entries(weights).map(([id, weight]) => ({ id, host: id, port: 80, weight }));
  const source = memoryAdapter(specs({ a: 1, b: 1, c: 1 }));
  const policy = makePolicy();
  await using client = createClient({
    service: 'policy-suite',
    discovery: source,
    policy,
    shrinkGraceMs: 0,
    breaker: false,
    env: { clock: new ManualClock(), rng: seededRng(seed) },
  });

  const fail = (allowed: readonly string[], when: string, got: string, cause?: unknown): never => {
    throw new PolicyViolation(
      `Policy "${policy.name}": expected picks among ${allowed.join(', ')} ${when}; got ${got}.\n` +
        `(seed ${String(seed)}; a client of a, b and c, weight 1 each)`,
      { cause },
    );
  };
  const pickId = (hashKey: string | undefined): string => {
    const lease = client.pick({ hashKey });
    lease.end('success');
    return lease.instance.id;
  };
  const expectOnly = (allowed: readonly string[], when: string): void => {
    for (let i = 0; i < PICKS; i++) {
      let id: string;
      try {
        id = pickId(i % 2 === 0 ? undefined : `key-${String(i)}`);
      } catch (error) {
        return fail(allowed, when, String(error), error);
      }
      if (!allowed.includes(id)) fail(allowed, when, id);
    }
  };

  await settle();
  expectOnly(['a', 'b', 'c'], 'at first');
  source.set(specs({ a: 0, b: 1, c: 1 }));
  await settle();
  expectOnly(['b', 'c'], 'after the weight of a went to 0');
  source.set(specs({ c: 1 }));
  await settle();
  expectOnly(['c'], 'after b was removed');
  source.set(specs({ a: 1, c: 0 }));
  await settle();
  expectOnly(['a'], 'after a came back and the weight of c went to 0');
}
