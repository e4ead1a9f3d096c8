import { describe, expect, it } from 'vitest';
import { SlowStart } from '../../src/health/slow-start.js';
import type { Client } from '../../src/client.js';
import type { Lease } from '../../src/lease.js';
import type { PolicyName } from '../../src/options.js';
import { refused } from '../support/errors.js';
import { type Rig, rig, row, specs } from '../support/fixtures.js';
import { state } from '../support/states.js';
import { shareTolerance } from '../support/statistics.js';

/** The ramp at each of these instants, asked for in turn. */
function rampsAt(slow: SlowStart, cold: ReturnType<typeof state>, instants: number[]): number[] {
  return instants.map((atMs) => {
    slow.refresh(atMs);
    return cold.ramp;
  });
}

describe('a ramp', () => {
  it('grows from a tenth to all, in proportion to the time gone by', () => {
    const slow = new SlowStart(30_000);
    const cold = state('a', { weight: 3 });
    slow.begin(cold, 1_000);
    expect([cold.ramp, cold.capacity]).toEqual([0.1, 3 * 0.1]);
    const table = [
      [1_000, 0.1],
      [3_999, 0.1],
      [4_000, 0.1],
      [7_000, 0.2],
      [16_000, 0.5],
      [22_500, 0.71666],
      [30_999, 0.99996],
      [31_000, 1],
      [99_000, 1],
    ] as const;
    const ramps = rampsAt(
      slow,
      cold,
      table.map(([atMs]) => atMs),
    );
    table.forEach(([, ramp], i) => expect(ramps[i]).toBeCloseTo(ramp, 4));
    expect([cold.ramp, cold.capacity]).toEqual([1, 3]);
    expect(slow.nextMs).toBe(Infinity);
  });

  it('has thirty steps, and costs nothing between them', () => {
    const slow = new SlowStart(30_000);
    const cold = state('a');
    slow.begin(cold, 0);
    const steps: number[] = [];
    for (let nowMs = 0; nowMs <= 40_000; nowMs += 10) {
      const { nextMs, version } = slow;
      slow.refresh(nowMs);
      if (nowMs < nextMs) expect([slow.nextMs, slow.version]).toEqual([nextMs, version]);
      else steps.push(nowMs);
    }
    expect(steps).toEqual(Array.from({ length: 31 }, (_, i) => i * 1_000));
    expect(slow.version).toBe(1 + 27); // of the thirty the first three are below a tenth
  });

  it('of an instance that was out is half as long as that, and no longer than slowStartMs', () => {
    const brief = new SlowStart(30_000);
    const a = state('a');
    brief.begin(a, 0, 4_000);
    expect(rampsAt(brief, a, [0, 1_000, 1_999, 2_000])).toEqual([0.1, 0.5, 0.9995, 1]);
    const long = new SlowStart(30_000);
    const b = state('b');
    long.begin(b, 0, 3_600_000);
    expect(rampsAt(long, b, [15_000, 30_000])).toEqual([0.5, 1]);
  });

  it('that is short has steps of 100 ms at least, and ends on time', () => {
    const slow = new SlowStart(30_000);
    const cold = state('a');
    slow.begin(cold, 0, 900);
    const steps: number[] = [];
    for (let nowMs = 0; nowMs <= 1_000; nowMs++) {
      if (nowMs >= slow.nextMs) steps.push(nowMs);
      slow.refresh(nowMs);
    }
    expect(steps).toEqual([0, 100, 200, 300, 400, 450]);
    expect(cold.ramp).toBe(1);
  });

  it('of length 0 is none', () => {
    const slow = new SlowStart(0);
    const a = state('a');
    slow.begin(a, 0);
    expect([a.ramp, slow.nextMs, slow.version]).toEqual([1, Infinity, 0]);
    const other = new SlowStart(30_000);
    other.begin(a, 0, 0);
    expect([a.ramp, other.nextMs, other.version]).toEqual([1, Infinity, 0]);
  });

  it('that has begun can begin again', () => {
    const slow = new SlowStart(30_000);
    const cold = state('a');
    slow.begin(cold, 0);
    slow.refresh(15_000);
    slow.begin(cold, 15_000);
    expect(rampsAt(slow, cold, [15_000, 30_000, 45_000])).toEqual([0.1, 0.5, 1]);
  });

  it('starts again after an outage, and is done no sooner than it would have been', () => {
    const slow = new SlowStart(30_000);
    const cold = state('a');
    slow.begin(cold, 0);
    slow.refresh(15_000);
    slow.begin(cold, 15_000, 1_000);
    expect(cold.ramp).toBe(0.1);
    expect(rampsAt(slow, cold, [18_000, 22_500, 30_000])).toEqual([0.2, 0.5, 1]);
    slow.begin(cold, 31_000, 1_000);
    expect(cold.ramp).toBe(0.1);
  });

  it('is over for what has left', () => {
    const slow = new SlowStart(30_000);
    const [a, b] = [state('a'), state('b')];
    slow.begin(a, 0);
    slow.begin(b, 0);
    slow.forget(a);
    slow.forget(state('c'));
    expect(a.ramp).toBe(1);
    expect(rampsAt(slow, a, [15_000])).toEqual([1]);
    expect(b.ramp).toBe(0.5);
  });

  it('of each is its own, and the next step is that of the first', () => {
    const slow = new SlowStart(30_000);
    const [a, b] = [state('a'), state('b')];
    slow.begin(a, 0);
    slow.refresh(0);
    slow.begin(b, 600);
    slow.refresh(600);
    expect(slow.nextMs).toBe(1_000);
    slow.refresh(1_000);
    expect(slow.nextMs).toBe(1_600);
    slow.refresh(30_300);
    expect([a.ramp, b.ramp]).toEqual([1, 0.99]);
    expect(slow.nextMs).toBe(30_600);
  });
});

/** What an instance is given now: capacities are brought up to date when something is decided. */
function capacity(client: Client, id: string): number {
  client.explain();
  return row(client, id).capacity;
}

async function joined(policy: PolicyName, warm: readonly string[] = ['a', 'b']): Promise<Rig> {
  const made = await rig(warm, { policy, shrinkGraceMs: 0 });
  await made.clock.advance(60_000);
  made.source.set(specs(...warm, 'new'));
  await made.clock.advance(0);
  return made;
}

describe('who starts slowly', () => {
  it('nobody of a first list', async () => {
    const { client } = await rig(['a', 'b*2']);
    expect([capacity(client, 'a'), capacity(client, 'b')]).toEqual([1, 2]);
    await client.close();
  });

  it('what joins warm instances, from a tenth to all of its weight in 30 s', async () => {
    const { client, clock } = await joined('p2c');
    const grown: number[] = [];
    for (let s = 0; s <= 30; s++) {
      grown.push(capacity(client, 'new'));
      await clock.advance(1_000);
    }
    const expected = Array.from({ length: 31 }, (_, s) => Math.max(0.1, s / 30));
    grown.forEach((value, s) => expect(value).toBeCloseTo(expected[s] ?? NaN, 9));
    expect([capacity(client, 'a'), capacity(client, 'b')]).toEqual([1, 1]);
    expect(clock.pendingTimers).toBe(0);
    await client.close();
  });

  it('nobody of a list that replaces all others', async () => {
    const { client, clock, source } = await rig(['a', 'b'], { shrinkGraceMs: 0 });
    await clock.advance(60_000);
    source.set(specs('c', 'd'));
    await clock.advance(0);
    expect([capacity(client, 'c'), capacity(client, 'd')]).toEqual([1, 1]);
    await client.close();
  });

  it('nobody who joins none but those that drain', async () => {
    const { client, clock, source } = await rig(['a*0']);
    source.set(specs('a*0', 'b'));
    await clock.advance(0);
    expect(capacity(client, 'b')).toBe(1);
    await client.close();
  });

  it('nobody who left while warming up, and comes back to replace all others', async () => {
    const { client, clock, source } = await rig(['a'], { shrinkGraceMs: 0 });
    for (const list of [specs('a', 'b'), specs('a'), specs('b')]) {
      source.set(list);
      await clock.advance(1_000);
    }
    expect(capacity(client, 'b')).toBe(1);
    await client.close();
  });

  it('nobody with slowStartMs 0', async () => {
    const { client, clock, source } = await rig(['a'], { slowStartMs: 0 });
    source.set(specs('a', 'b'));
    await clock.advance(0);
    expect(capacity(client, 'b')).toBe(1);
    await client.close();
  });

  it('what no longer drains', async () => {
    const { client, clock, source } = await rig(['a', 'b*2'], { shrinkGraceMs: 0 });
    await clock.advance(60_000);
    source.set(specs('a', 'b*0'));
    await clock.advance(60_000);
    expect(capacity(client, 'b')).toBe(0);
    source.set(specs('a', 'b*2'));
    await clock.advance(15_000);
    expect(capacity(client, 'b')).toBe(1);
    await clock.advance(15_000);
    expect(capacity(client, 'b')).toBe(2);
    await client.close();
  });

  it('what was out, for half as long as it was out', async () => {
    const { client, clock } = await rig(['a', 'b'], { policy: 'round-robin', retry: false });
    const outage = await outOf(client, clock);
    expect(outage).toBeGreaterThan(0);
    expect(capacity(client, 'a')).toBe(0.1);
    await clock.advance(outage / 4);
    expect(capacity(client, 'a')).toBeCloseTo(0.5, 9);
    await clock.advance(outage / 4);
    expect(capacity(client, 'a')).toBe(1);
    expect(capacity(client, 'b')).toBe(1);
    await client.close();
  });

  it('what was out for long, for slowStartMs', async () => {
    const { client, clock } = await rig(['a', 'b'], {
      policy: 'round-robin',
      retry: false,
      slowStartMs: 200,
    });
    expect(await outOf(client, clock)).toBeGreaterThan(450);
    await clock.advance(100);
    expect(capacity(client, 'a')).toBeCloseTo(0.5, 9);
    await clock.advance(100);
    expect(capacity(client, 'a')).toBe(1);
    await client.close();
  });
});

/** Makes `a` fail until its breaker opens, then succeed until it closes. @returns how long it was out, in ms. */
async function outOf(client: Client, clock: Rig['clock']): Promise<number> {
  let openMs = NaN;
  client.on('breaker.opened', (event) => (openMs = event.openMs));
  const call = (fails: boolean): Promise<unknown> =>
    client
      .call(({ instance }) => {
        if (fails && instance.id === 'a') throw refused();
      })
      .catch(() => undefined);
  for (let i = 0; i < 20; i++) await call(true);
  expect(row(client, 'a').breaker).toBe('open');
  await clock.advance(openMs);
  for (let i = 0; i < 4; i++) await call(false);
  expect(row(client, 'a').breaker).toBe('closed');
  return openMs;
}

function countPicks(client: Client, picks: number): number[] {
  const counts = new Map([
    ['a', 0],
    ['b', 0],
    ['new', 0],
  ]);
  for (let i = 0; i < picks; i++) {
    const lease = client.pick();
    counts.set(lease.instance.id, (counts.get(lease.instance.id) ?? 0) + 1);
    lease.end('ignored');
  }
  return [...counts.values()];
}

describe('its share of the calls', () => {
  // A load alone gave it nothing before it was three quarters warm: idle, it cost more than any other.
  it('follows the ramp in adaptive, where all are idle', async () => {
    const { client, clock } = await joined('adaptive');
    const answerAll = async (calls: number): Promise<number> => {
      let drawn = 0;
      for (let i = 0; i < calls; i++) {
        const lease = client.pick();
        if (lease.instance.id === 'new') drawn++;
        await clock.advance(1);
        lease.end('success');
      }
      return drawn;
    };
    await answerAll(5_000);
    for (let s = 5; s < 30; s += 5) {
      const shareAt = (ramp: number): number => ramp / (2 + ramp);
      const ramp = capacity(client, 'new');
      const least = shareAt(ramp);
      const most = shareAt(ramp + 1 / 30); // meanwhile
      const drawn = await answerAll(1_000);
      expect(drawn / 1_000).toBeGreaterThan(least - shareTolerance(least, 1_000));
      expect(drawn / 1_000).toBeLessThan(most + shareTolerance(most, 1_000));
      await clock.advance(4_000);
    }
    await client.close();
  });

  it('follows the ramp exactly in weighted-round-robin', async () => {
    const { client, clock } = await joined('weighted-round-robin');
    for (let s = 0; s <= 30; s++) {
      // Of 60 + k calls a and b get 30 each, and one whose capacity is k / 30 gets k.
      const k = Math.max(3, s);
      expect(countPicks(client, 60 + k)).toEqual([30, 30, k]);
      await clock.advance(1_000);
    }
    await client.close();
  });

  it('follows the ramp in random', async () => {
    const { client, clock } = await joined('random');
    const draws = 5_000;
    for (let s = 0; s <= 30; s += 5) {
      const [, , drawn = NaN] = countPicks(client, draws);
      const ramp = Math.max(0.1, s / 30);
      const share = ramp / (2 + ramp);
      expect(Math.abs(drawn / draws - share)).toBeLessThan(shareTolerance(share, draws));
      await clock.advance(5_000);
    }
    await client.close();
  });

  // With 60 calls in flight the load (pending + 1) / capacity is levelled out: the pending, and with latencies alike the
  // calls, are divided by capacity. Of four, one with capacity 0.1 is due 0.1 / 3.1 of them, and 1/4 when it is warm.
  // P2C does not level all at once, so a half more is let pass; equal treatment would be eight times as much.
  it.each(['p2c', 'adaptive', 'peak-ewma'] as const)(
    'is small under load in %s, and whole in the end',
    async (policy) => {
      const { client, clock } = await joined(policy, ['a', 'b', 'c']);
      const share = async (): Promise<number> => {
        const inFlight: Lease[] = [];
        let drawn = 0;
        for (let i = 0; i < 2_060; i++) {
          const lease = client.pick();
          inFlight.push(lease);
          if (i >= 60 && lease.instance.id === 'new') drawn++;
          if (inFlight.length > 60) inFlight.shift()?.end('success');
          if (i % 2 === 0) await clock.advance(1);
        }
        for (const lease of inFlight) lease.end('success');
        return drawn / 2_000;
      };
      expect(await share()).toBeLessThan((1.5 * 0.1) / 3.1);
      await clock.advance(30_000);
      expect(Math.abs((await share()) - 0.25)).toBeLessThan(0.05);
      await client.close();
    },
  );
});
