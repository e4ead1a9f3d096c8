import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createClient } from '../src/client.js';
import type { Lease } from '../src/lease.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { memoryAdapter } from '../src/testing/memory-adapter.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import type { InstanceSpec, Outcome } from '../src/types.js';

const instance = fc.record({
  id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'),
  host: fc.constantFrom('h1', 'h2'), // another address under the same id is another process
  port: fc.constant(80),
  weight: fc.constantFrom(0, 1, 1, 2, 1e-9, 1e9),
  priority: fc.constantFrom(0, 0, 1, 2),
  locality: fc.record({ zone: fc.constantFrom('x', 'y', 'z', undefined) }),
  tags: fc.constantFrom([], ['v2']),
});

const step = fc.oneof(
  { weight: 2, arbitrary: fc.uniqueArray(instance, { selector: ({ id }) => id }) },
  { weight: 10, arbitrary: fc.constantFrom('pick', 'pick v2') },
  {
    weight: 10,
    arbitrary: fc.record({
      end: fc.nat(),
      outcome: fc.constantFrom<Outcome>('success', 'failure', 'failure', 'overload', 'ignored'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ advanceMs: fc.constantFrom(1, 50, 1_000, 15_000, 90_000) }) },
);

const options = fc.record({
  priority: fc.constantFrom(false, true, { mode: 'strict', minMembers: 2 } as const),
  zone: fc.constantFrom(false as const, { local: 'x', minInstances: 2 }),
  subset: fc.constantFrom(false as const, { size: 2 }, { size: 2, index: 1, total: 3 }),
});

it('whatever happens to a set, its books are right', async () => {
  await fc.assert(
    fc.asyncProperty(options, fc.array(step, { maxLength: 120 }), async (stages, steps) => {
      const clock = new ManualClock();
      const source = memoryAdapter([]);
      const client = createClient({
        service: 'orders',
        discovery: source,
        policy: 'random',
        stages,
        shrinkGraceMs: 0,
        breaker: { consecutiveFailures: 2 },
        env: { clock, rng: seededRng(1) },
      });
      await settle();
      const view = client.where({ tags: ['v2'], fallback: 'any' });
      const out = new Set<string>();
      const tooMany: string[] = [];
      client.on('breaker.opened', ({ instanceId }) => {
        const rows = client.snapshot().instances.filter((row) => row.membership === 'listed');
        const opened = rows.find(({ id }) => id === instanceId);
        if (opened !== undefined && !out.has(instanceId)) {
          const level =
            stages.priority === false
              ? rows
              : rows.filter(({ priority }) => priority === opened.priority);
          const isIn = ({ breaker }: (typeof rows)[number]): boolean => breaker === 'closed';
          const others = rows.filter((row) => !level.includes(row));
          const helped = stages.priority !== false && others.some(isIn);
          const ejected = level.filter((row) => !isIn(row)).length;
          if (!helped && ejected / level.length > 0.5) {
            tooMany.push(`${String(ejected)} of ${String(level.length)}`);
          }
        }
        out.add(instanceId);
      });
      client.on('breaker.closed', ({ instanceId }) => out.delete(instanceId));
      let list: readonly InstanceSpec[] = [];
      const leases: Lease[] = [];

      const check = (): void => {
        const listed = new Map(list.map((spec) => [spec.id, spec]));
        const { instances } = client.snapshot();
        for (const explained of [client.explain(), view.explain()]) {
          for (const { id, capacity, weight } of explained.candidates) {
            expect(listed.get(id)?.weight ?? 0, `${id} is listed and takes calls`).toBeGreaterThan(
              0,
            );
            expect(capacity).toBeGreaterThan(0);
            expect(capacity).toBeLessThanOrEqual(weight);
          }
          const ids = explained.candidates.map(({ id }) => id);
          expect(new Set(ids).size, 'none is in two parts').toBe(ids.length);
          const taking = list.some(({ weight = 1 }) => weight > 0);
          expect(ids.length > 0, 'there is a candidate while any takes calls').toBe(taking);
          const ratios = explained.parts.map(({ ratio }) => ratio);
          for (const ratio of ratios) expect(ratio).toBeGreaterThanOrEqual(0);
          if (taking) expect(ratios.reduce((sum, ratio) => sum + ratio, 0)).toBeCloseTo(1, 9);
        }
        expect(tooMany, 'ejected, while no other priority could take over').toEqual([]);
        for (const { pending } of instances) expect(pending).toBeGreaterThanOrEqual(0);
        const pending = instances.reduce((sum, row) => sum + row.pending, 0);
        expect(pending, 'attempts in flight are the leases held').toBe(leases.length);
        for (const { id, breaker, membership } of instances) {
          // An address that changed hands has two rows of one id: the leaving one's breaker told too.
          const rows = instances.filter((row) => row.id === id);
          if (rows.length > 1 || membership === 'leaving') continue;
          if (breaker !== 'closed') expect(out, `${id} is ${breaker}`).toContain(id);
        }
      };

      for (const next of steps) {
        if (next === 'pick' || next === 'pick v2') {
          const from = next === 'pick' ? client : view;
          if (list.some(({ weight = 1 }) => weight > 0)) leases.push(from.pick());
        } else if ('end' in next) {
          leases.splice(next.end % Math.max(1, leases.length), 1)[0]?.end(next.outcome);
        } else if ('advanceMs' in next) {
          await clock.advance(next.advanceMs);
        } else {
          list = next;
          source.set(list);
          await settle();
        }
        check();
      }
      for (const lease of leases.splice(0)) lease.end('success');
      check();
      await client.close();
    }),
    { numRuns: 200, seed: 4 },
  );
}, 60_000);
