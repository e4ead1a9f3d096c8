import fc from 'fast-check';
import { expect, it } from 'vitest';
import { settle } from '../../src/testing/manual-clock.js';
import type { Snapshot } from '../../src/types.js';
import { begin } from './consul-scene.js';
import { entry } from './fake-consul.js';

const NODES = ['n0', 'n1', 'n2'] as const;
/** As `node/id`, two on each node. */
const INSTANCES = NODES.flatMap((node) => [`${node}/a`, `${node}/b`]);

/** What is true when the agent makes its list, and when it says whether rights are held. */
interface Step {
  readonly living: readonly string[];
  readonly denied: readonly string[];
  /** Until the next list; a read that does not block fails after 10 s. */
  readonly thenMs: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  living: fc.subarray(INSTANCES),
  denied: fc.oneof(
    { weight: 3, arbitrary: fc.constant<string[]>([]) },
    { weight: 3, arbitrary: fc.subarray([...NODES]) },
    { weight: 1, arbitrary: fc.subarray(['web', ...NODES]) },
  ),
  thenMs: fc.constantFrom(1_000, 9_500),
});
/** Each lasts for some lists, so that what takes two of them can be seen. */
const steps = fc
  .array(fc.tuple(step, fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 6 })
  .map((runs) => runs.flatMap(([one, times]) => Array.from({ length: times }, () => one)));

const nodeOf = (instance: string): string => instance.split('/')[0] ?? '';

/** The core's part: an incomplete list takes nothing away. */
function believe(before: ReadonlySet<string>, snapshot: Snapshot): ReadonlySet<string> {
  const instances = snapshot.kind === 'instances' ? snapshot.instances : [];
  const ids = instances.map(({ id = '' }) => id.replace('dc1/', ''));
  expect(new Set(ids).size).toBe(ids.length);
  return new Set([...(snapshot.incomplete === undefined ? [] : before), ...ids]);
}

/** How often a rule was there to be broken. */
interface Tally {
  hidden: number;
  gone: number;
}

const FILTERED = { headers: { 'x-consul-results-filtered-by-acls': 'true' } };

async function follow(steps: readonly Step[], hasHeader: boolean, tally: Tally): Promise<void> {
  const { client, clock, watched } = await begin({ token: 'abc' });
  let denied: readonly string[] = [];
  client.holds = ({ Segment }) => !denied.includes(Segment);
  let listed: ReadonlySet<string> = new Set();
  let replied: readonly string[] = [];
  let taken = 0;
  /** Instances that are gone for all to see, and whether the agent was asked meanwhile. */
  const gone = new Map<string, { readonly sinceMs: number; wasAsked: boolean }>();
  for (const [index, { living, thenMs, ...step }] of steps.entries()) {
    denied = step.denied;
    const isReadable = (instance: string): boolean =>
      !denied.includes('web') && !denied.includes(nodeOf(instance));
    const [before, repliedBefore] = [listed, replied];
    replied = living.filter(isReadable);
    const { asked, calls } = client;
    const questions = asked.length;
    const isFiltered = hasHeader && replied.length < living.length;
    client.newest().reply(
      replied.map((instance) => entry({ node: nodeOf(instance), id: instance.slice(3) })),
      100 + index,
      isFiltered ? FILTERED : {},
    );
    const reads = calls.length;
    await settle();
    for (; taken < watched.snapshots.length; taken++) {
      const snapshot = watched.snapshots[taken];
      if (snapshot !== undefined) listed = believe(listed, snapshot);
    }
    const isIncomplete = watched.snapshots.at(-1)?.incomplete !== undefined;

    for (const instance of INSTANCES) {
      const isLiving = living.includes(instance);
      const isHidden = isLiving && !isReadable(instance) && before.has(instance);
      if (isHidden) tally.hidden++;
      if (isHidden || replied.includes(instance)) expect(listed).toContain(instance);
      if (isLiving || !isReadable(instance)) {
        gone.delete(instance);
        continue;
      }
      const run = gone.get(instance) ?? { sinceMs: clock.now(), wasAsked: false };
      // What was hidden stays for the list that may be from before; so it does where the header has no other cause.
      const isPlain = repliedBefore.includes(instance) && !isIncomplete && !isFiltered;
      if (isPlain || run.wasAsked || clock.now() - run.sinceMs >= 20_000) {
        if (before.has(instance)) tally.gone++;
        expect(listed).not.toContain(instance);
      }
      gone.set(instance, run);
      run.wasAsked ||= asked.length > questions;
    }
    await clock.advance(thenMs);
    expect(calls.length).toBeGreaterThan(reads);
  }
  await watched.abort();
  expect(watched.faults.every(({ effect }) => effect === undefined)).toBe(true);
}

it.each([
  ['before 1.11', false],
  ['since 1.11', true],
])('an agent %s: what lives unseen is never left out, what is gone never kept', async (_, has) => {
  const tally: Tally = { hidden: 0, gone: 0 };
  await fc.assert(
    fc.asyncProperty(steps, (all) => follow(all, has, tally)),
    { numRuns: 300, seed: 8 },
  );
  console.log(`hidden: ${tally.hidden}, let go: ${tally.gone}`);
  expect(Math.min(tally.hidden, tally.gone)).toBeGreaterThan(100);
});
