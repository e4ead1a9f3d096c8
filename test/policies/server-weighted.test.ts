import { describe, expect, it } from 'vitest';
import { reportedWeight } from '../../src/policies/reported-weight.js';
import { serverWeighted, type ServerWeightedOptions } from '../../src/policies/server-weighted.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { Candidate, LoadReport, Picker } from '../../src/types.js';
import { candidate, context, countById, picks, type TestCandidate } from '../support/candidates.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';

/** A picker over candidates that report at the times given, on a clock of its own. */
class Rig {
  readonly clock = new ManualClock();
  readonly rng = seededRng(5);
  picker: Picker;

  constructor(
    readonly list: readonly TestCandidate[],
    readonly options: ServerWeightedOptions = {},
  ) {
    this.picker = this.build(list);
  }

  build(list: readonly Candidate[], previous?: Picker): Picker {
    return serverWeighted(this.options).build(list, this, previous);
  }

  say(id: string, report: LoadReport): void {
    const found = this.list.find(({ instance }) => instance.id === id);
    if (found === undefined) throw new Error(id);
    found.state.report = { errorsPerSecond: 0, ...report, atMs: this.clock.now() };
  }

  /** All of `reports` once a second for so long, with a pick each time. */
  async report(seconds: number, reports: Readonly<Record<string, LoadReport>>): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      for (const [id, report] of Object.entries(reports)) this.say(id, report);
      this.counts(1);
      await this.clock.advance(1_000);
    }
  }

  counts(n: number): Record<string, number> {
    return countById(picks(this.picker, n, context([], this.clock.now())));
  }
}

const BUSY: LoadReport = { qps: 100, utilization: 1 };
const HALF: LoadReport = { qps: 100, utilization: 0.5 };

describe('the weight of a report', () => {
  it.each([
    [{ qps: 100, utilization: 0.5 }, 1, 200],
    [{ qps: 100, utilization: 0.5, errorsPerSecond: 50 }, 1, 100],
    [{ qps: 100, utilization: 0.5, errorsPerSecond: 50 }, 0, 200],
    [{ qps: 100, utilization: 0.5, errorsPerSecond: 50 }, 3, 50],
    [{ qps: 0, utilization: 0.5 }, 1, undefined],
    [{ qps: 100, utilization: 0 }, 1, undefined],
    [{ qps: 100, utilization: 0, errorsPerSecond: 50 }, 1, undefined],
    [{ qps: 1e-300, utilization: 1e300 }, 1, undefined], // 0, rounded
    [{ qps: Number.MAX_VALUE, utilization: 1e-9 }, 1, undefined],
  ])('%j at penalty %s is %s', (report, penalty, weight) => {
    expect(reportedWeight(report, penalty)).toBe(weight);
  });
});

describe('shares', () => {
  it('follow the reported weights', async () => {
    const rig = new Rig([candidate('busy'), candidate('half')]);
    await rig.report(12, { busy: BUSY, half: HALF });
    expect(rig.counts(300)).toEqual({ busy: 100, half: 200 });
  });

  it('follow the configured weights until two have reported for the blackout', async () => {
    const rig = new Rig([candidate('a', 3), candidate('b', 1)]);
    await rig.report(9, { a: BUSY, b: HALF });
    expect(rig.counts(400)).toEqual({ a: 300, b: 100 });
    await rig.report(3, { a: BUSY, b: HALF });
    expect(rig.counts(300)).toEqual({ a: 100, b: 200 });
  });

  it('follow the configured weights while only one reports: there is nothing to compare', async () => {
    const rig = new Rig([candidate('a', 3), candidate('b', 1)]);
    await rig.report(12, { a: BUSY });
    expect(rig.counts(400)).toEqual({ a: 300, b: 100 });
  });

  it('give one that does not report the mean weight, and so its share, not the mean period', async () => {
    // grpc-js takes the mean weight for the period between two turns: there a newcomer starves.
    const rig = new Rig([candidate('busy'), candidate('half'), candidate('new')]);
    await rig.report(12, { busy: BUSY, half: HALF });
    expect(rig.counts(900)).toEqual({ busy: 200, half: 400, new: 300 });
  });

  it('forget reports that have expired', async () => {
    const rig = new Rig([candidate('a'), candidate('b')]);
    await rig.report(12, { a: BUSY, b: HALF });
    await rig.clock.advance(179_000);
    expect(rig.counts(400)).toEqual({ a: 200, b: 200 });
    // And have to come for the blackout again before they count.
    await rig.report(9, { a: BUSY, b: HALF });
    expect(rig.counts(400)).toEqual({ a: 200, b: 200 });
  });

  it('are brought up to date once per updateMs, no more often', async () => {
    const rig = new Rig([candidate('a'), candidate('b')], { blackoutMs: 0 });
    rig.say('a', BUSY);
    rig.say('b', HALF);
    await rig.clock.advance(999);
    expect(rig.counts(200)).toEqual({ a: 100, b: 100 });
    await rig.clock.advance(1);
    expect(rig.counts(300)).toEqual({ a: 100, b: 200 });
    rig.say('b', BUSY);
    await rig.clock.advance(999);
    expect(rig.counts(300)).toEqual({ a: 100, b: 200 });
    await rig.clock.advance(1); // although the weight of a is what it was
    expect(rig.counts(200)).toEqual({ a: 100, b: 100 });
  });

  it('stay exact when the weights change with every pick, but not beside one another', async () => {
    const rig = new Rig([candidate('a'), candidate('b')], { blackoutMs: 0, updateMs: 1 });
    const counts = { a: 0, b: 0 };
    for (let i = 0; i < 200; i++) {
      for (const id of ['a', 'b']) rig.say(id, i % 2 === 0 ? BUSY : HALF);
      await rig.clock.advance(1);
      counts[picks(rig.picker, 1, context([], rig.clock.now()))[0] as 'a' | 'b']++;
    }
    expect(counts).toEqual({ a: 100, b: 100 });
  });

  it('wait for the blackout from the first report that says something', async () => {
    const rig = new Rig([candidate('a'), candidate('b')]);
    await rig.report(12, { a: { ...BUSY, qps: 0 }, b: { ...HALF, utilization: 0 } });
    await rig.report(9, { a: BUSY, b: HALF });
    expect(rig.counts(200)).toEqual({ a: 100, b: 100 });
    await rig.report(3, { a: BUSY, b: HALF });
    expect(rig.counts(300)).toEqual({ a: 100, b: 200 });
  });
});

describe('by default', () => {
  it('reports count from 10 s on after the first, and until 180 s after the last, to the millisecond', async () => {
    const rig = new Rig([candidate('a'), candidate('b')], { updateMs: 1 });
    const say = (): void => {
      rig.say('a', BUSY);
      rig.say('b', HALF);
    };
    say();
    await rig.clock.advance(1);
    rig.counts(1);
    await rig.clock.advance(9_998);
    say();
    expect(rig.counts(200)).toEqual({ a: 100, b: 100 });
    await rig.clock.advance(1);
    expect(rig.counts(300)).toEqual({ a: 100, b: 200 });
    await rig.clock.advance(179_998);
    expect(rig.counts(300)).toEqual({ a: 100, b: 200 });
    await rig.clock.advance(1);
    expect(rig.counts(200)).toEqual({ a: 100, b: 100 });
  });

  it.each([
    [undefined, { a: 100, b: 200 }],
    [3, { a: 60, b: 240 }],
    [0, { a: 150, b: 150 }],
  ])('errors count once, with errorPenalty %s so often', async (errorPenalty, expected) => {
    const rig = new Rig([candidate('a'), candidate('b')], { blackoutMs: 0, errorPenalty });
    rig.say('a', { ...HALF, errorsPerSecond: 50 });
    rig.say('b', HALF);
    await rig.clock.advance(1_000);
    expect(rig.counts(300)).toEqual(expected);
  });
});

it('a picker built later waits for its first update as long', async () => {
  const rig = new Rig([candidate('a'), candidate('b')], { blackoutMs: 0 });
  await rig.clock.advance(5_000);
  rig.picker = rig.build(rig.list);
  rig.say('a', BUSY);
  rig.say('b', HALF);
  await rig.clock.advance(999);
  expect(rig.counts(200)).toEqual({ a: 100, b: 100 });
  await rig.clock.advance(1);
  expect(rig.counts(300)).toEqual({ a: 100, b: 200 });
});

describe('a rebuild', () => {
  it('keeps the weights and the time since when each has reported', async () => {
    const rig = new Rig([candidate('a'), candidate('b'), candidate('c')]);
    await rig.report(12, { a: BUSY, b: HALF, c: HALF });
    rig.picker = rig.build(rig.list.slice(0, 2), rig.picker);
    expect(rig.counts(300)).toEqual({ a: 100, b: 200 });
  });

  it('makes one that comes back after having left begin anew', async () => {
    const rig = new Rig([candidate('a'), candidate('b'), candidate('c')]);
    await rig.report(12, { a: BUSY, b: BUSY, c: HALF });
    rig.picker = rig.build(rig.list.slice(0, 2), rig.picker);
    rig.picker = rig.build(rig.list, rig.picker);
    expect(rig.counts(300)).toEqual({ a: 100, b: 100, c: 100 });
  });
});

it.each([
  ['blackoutMs', -1],
  ['expiryMs', 0],
  ['updateMs', 0],
  ['errorPenalty', -1],
])('refuses %s %s', (option, value) => {
  expectInvalidOption(
    thrownBy(() => serverWeighted({ [option]: value })),
    `serverWeighted.${option}`,
    value,
  );
});
