import { describe, expect, it } from 'vitest';
import { type Aftermath, measureOutage, measureRestart } from '../../bench/consul/leftovers.js';
import { quantile } from '../../bench/consul/quantile.js';
import { measureScale, type Scale } from '../../bench/consul/scale.js';
import { startConsulAgent } from '../../scripts/consul-agent.js';

const SERVICES = 300;
const POLL_MS = 2_000;
/** What parks and what polls, probe and heartbeats included. */
const MOST_CONNECTIONS = 120;
/** What an agent takes from one address. */
const AGENTS_LIMIT = 200;

function print(what: string, { heardAfterMs, ...figures }: Scale): void {
  const quantiles = [0.2, 0.5, 1].map((ratio) => quantile(heardAfterMs, ratio).toFixed(0));
  console.log(
    `${what}: changes heard after ${quantiles.join(', ')} ms (20 %, half, all);`,
    figures,
  );
}

describe(`${SERVICES} services watched by one process through one agent`, () => {
  it.each([
    { adapters: 'one', forMs: 30_000 },
    { adapters: 'each', forMs: 5_000 },
  ] as const)(
    'stay within the connection cap, and heartbeats never miss: adapters: $adapters',
    async ({ adapters, forMs }) => {
      await using agent = await startConsulAgent();
      const scene = { url: agent.url, services: SERVICES, adapters, pollMs: POLL_MS, forMs };
      const scale = await measureScale(scene);
      print(`adapters: ${adapters}`, scale);
      expect(scale.mostConnections).toBeLessThanOrEqual(MOST_CONNECTIONS);
      expect(scale.faults).toEqual({});

      // Those that are parked hear at once; if all polled, a fifth would take 300 ms.
      expect(scale.missed).toBe(0);
      expect(quantile(scale.heardAfterMs, 0.2)).toBeLessThan(150);
      expect(Math.max(...scale.heardAfterMs)).toBeLessThan(POLL_MS + 1_500);

      expect(scale.checks.read).toBeGreaterThan(50);
      expect(scale.checks.lost).toBe(0);

      expect(scale.left).toEqual([]);
      expect(scale.ended, 'the process ends by itself').toBe(true);
    },
  );
});

describe('queries that nobody waits for any more, which the agent still counts', () => {
  const expectWell = (what: string, { faults, checks, mostConnections }: Aftermath): void => {
    console.log(`${what}: at most ${mostConnections} connections`, checks, faults);
    expect(faults).toEqual({});
    expect(checks.read).toBeGreaterThan(20);
    expect(checks.lost).toBe(0);
  };

  it('leave room for a process that takes the place of one that was killed', async () => {
    await using agent = await startConsulAgent();
    const aftermath = await measureRestart({ url: agent.url, services: SERVICES, forMs: 6_000 });
    expectWell('restart', aftermath);
    expect(aftermath.mostConnections).toBeLessThan(AGENTS_LIMIT);
  });

  it('do not pile up while every call fails and fresh data is wanted', async () => {
    await using agent = await startConsulAgent();
    const aftermath = await measureOutage({ url: agent.url, services: 20, forMs: 12_000 });
    expectWell('outage', aftermath);
    expect(aftermath.mostConnections).toBeLessThanOrEqual(MOST_CONNECTIONS);
  });
});
