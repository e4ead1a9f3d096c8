/** What becomes of watches when agents go and come, in real time. */
import { afterEach, describe, expect, it } from 'vitest';
import { consul } from '../../adapters/consul.js';
import { startConsulAgent, type ConsulAgent } from '../../scripts/consul-agent.js';
import { realEnv } from '../../src/env.js';
import { tcpProxy } from '../../src/testing/tcp-proxy.js';
import { watchWith, type Watched } from '../adapters/watched.js';

const { clock } = realEnv();
const started: ConsulAgent[] = [];
const watches: Watched[] = [];

afterEach(async () => {
  await Promise.all(watches.splice(0).map((watched) => watched.abort()));
  await Promise.all(started.splice(0).map((agent) => agent.stop()));
});

async function agentWith(...ports: readonly number[]): Promise<ConsulAgent> {
  const agent = await startConsulAgent();
  started.push(agent);
  for (const port of ports) await agent.register({ name: 'web', port });
  return agent;
}

function watching(options: Parameters<typeof consul>[0]): Watched {
  const watched = watchWith(consul(options), { clock });
  watches.push(watched);
  return watched;
}

const ports = ({ snapshots }: Watched): readonly number[] => {
  const newest = snapshots.at(-1);
  return newest?.kind === 'instances' ? newest.instances.map(({ port }) => port).sort() : [];
};

const lists = (watched: Watched, ...expected: readonly number[]): Promise<void> =>
  watched.until(() => ports(watched).join() === expected.join());

const source = ({ confirmed }: Watched): unknown => confirmed.at(-1)?.details?.['agent'];

const isFrom = (watched: Watched, agent: ConsulAgent): boolean =>
  source(watched) === `Consul at ${agent.url}`;

describe('two agents', () => {
  it('stand in for each other: the second at once, the first again after three good probes', async () => {
    const [first, second] = [await agentWith(8001), await agentWith(8001)];
    // Far from that of the second: an index that travelled would park the next read for a minute.
    for (let port = 9_000; port < 9_020; port++) await first.register({ name: 'noise', port });
    const watched = watching({ urls: [first.url, second.url] });
    await lists(watched, 8001);
    expect(isFrom(watched, first)).toBe(true);

    const killedMs = clock.now();
    await first.kill('SIGKILL');
    await watched.until(() => isFrom(watched, second));
    const tookMs = clock.now() - killedMs;
    await second.register({ name: 'web', port: 8002 });
    await lists(watched, 8001, 8002);

    await first.restart();
    for (const port of [8001, 8002, 8003]) await first.register({ name: 'web', port });
    const backMs = clock.now();
    await watched.until(() => isFrom(watched, first));
    const returnedMs = clock.now() - backMs;
    await lists(watched, 8001, 8002, 8003);
    await first.register({ name: 'web', port: 8004 });
    await lists(watched, 8001, 8002, 8003, 8004);

    console.log(
      `second after ${tookMs.toFixed(0)} ms, first again ${(returnedMs / 1_000).toFixed(1)} s after its return`,
    );
    expect(watched.faults).toHaveLength(1);
    expect(watched.snapshots).toHaveLength(4);
    expect(tookMs).toBeLessThan(2_000);
    expect(returnedMs).toBeGreaterThan(9_000); // three probes are two pauses apart
    expect(returnedMs).toBeLessThan(25_000);
  });

  it('stand in for each other when the first only hangs, as soon as two probes say so', async () => {
    const [first, second] = [await agentWith(8001), await agentWith(8001)];
    const watched = watching({ urls: [first.url, second.url] });
    await lists(watched, 8001);
    const stoppedMs = clock.now();
    await first.kill('SIGSTOP');
    await watched.until(() => isFrom(watched, second));
    const tookMs = clock.now() - stoppedMs;
    console.log(`noticed after ${(tookMs / 1_000).toFixed(1)} s`);
    expect(watched.faults[0]?.message).toContain('does not answer any more');
    expect(watched.snapshots).toHaveLength(1);
    expect(tookMs).toBeLessThan(15_000);
  });
});

describe('twenty watches that may park five queries', () => {
  it('hold 5 + 8 + 1 sockets, all hear of changes within the time of a poll, and leave none', async () => {
    const services = Array.from({ length: 20 }, (_, i) => `web-${i}`);
    const agent = await agentWith();
    for (const name of services) await agent.register({ name, port: 8001 });
    await using proxy = await tcpProxy({ port: Number(new URL(agent.url).port) });
    const adapter = consul({
      url: `http://127.0.0.1:${proxy.port}`,
      maxParked: 5,
      pollMs: 2_000,
      waitMs: 5_000,
    });
    let most = 0;
    const gauge = setInterval(() => (most = Math.max(most, proxy.open)), 1);
    const crowd = services.map((service) => watchWith(adapter, { service, clock }));
    watches.push(...crowd);
    await Promise.all(crowd.map((watched) => lists(watched, 8001)));
    expect(crowd.filter(({ confirmed }) => confirmed[0]?.details?.['parked'])).toHaveLength(5);

    // Long enough for two probes.
    const delays: number[] = [];
    for (let port = 8002; port < 8006; port++) {
      const round = crowd.map(async (watched, i) => {
        await agent.register({ name: services[i] ?? '', port });
        const changedMs = clock.now();
        await watched.until(() => ports(watched).includes(port));
        delays.push(clock.now() - changedMs);
      });
      await Promise.all(round);
      await clock.sleep(2_000);
    }
    clearInterval(gauge);
    console.log(
      `${delays.length} changes, at most ${Math.max(...delays).toFixed(0)} ms; ${most} sockets at most, ${proxy.connections} ever`,
    );
    expect(crowd.flatMap(({ faults }) => faults)).toEqual([]);
    expect(Math.max(...delays)).toBeLessThan(3_000);
    expect(most).toBeLessThanOrEqual(5 + 8 + 1);
    expect(proxy.connections).toBeLessThanOrEqual(5 + 8 + 1);

    await Promise.all(crowd.map((watched) => watched.abort()));
    // The agent itself keeps what was parked until its wait is over.
    const abortedMs = clock.now();
    while (proxy.open > 0) await clock.sleep(5);
    const tookMs = clock.now() - abortedMs;
    console.log(`no socket ${(tookMs / 1_000).toFixed(1)} s after the end`);
  });
});
