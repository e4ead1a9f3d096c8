import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { registerService } from '../../adapters/consul/registration.js';
import type { RegistrationOptions } from '../../adapters/consul/registration/options.js';
import type { Registration } from '../../adapters/consul/registration/registration.js';
import { type ConsulAgent, startConsulAgent } from '../../scripts/consul-agent.js';
import { httpProxy } from '../../src/testing/http-proxy.js';
import { type TcpProxy, tcpProxy } from '../../src/testing/tcp-proxy.js';

const MANY = 300;

async function servicesOf(agent: ConsulAgent, state: string): Promise<string[]> {
  const reply = await fetch(new URL(`/v1/health/state/${state}`, agent.url));
  const checks = (await reply.json()) as { ServiceID: string }[];
  return checks.map(({ ServiceID }) => ServiceID).filter((id) => id !== '');
}

const counts = async (agent: ConsulAgent): Promise<[passing: number, others: number]> => {
  const [passing, all] = [await servicesOf(agent, 'passing'), await servicesOf(agent, 'any')];
  return [passing.length, all.length - passing.length];
};

async function until(condition: () => Promise<boolean>, withinMs: number): Promise<number> {
  const beganMs = performance.now();
  while (!(await condition())) {
    if (performance.now() - beganMs > withinMs) throw new Error('it did not come to be so');
    await sleep(20);
  }
  return performance.now() - beganMs;
}

interface Crowd {
  readonly registrations: readonly Registration[];
  readonly faults: string[];
}

async function registerMany(
  proxy: TcpProxy,
  options: Partial<RegistrationOptions>,
): Promise<Crowd> {
  const url = `http://${proxy.host}:${proxy.port}`;
  const faults: string[] = [];
  const registrations = await Promise.all(
    Array.from({ length: MANY }, (_, n) =>
      registerService({ url, name: `many-${n}`, port: 1 + n, settleMs: 0, ...options }),
    ),
  );
  for (const registration of registrations) {
    registration.on('fault', ({ message }) => faults.push(message));
  }
  return { registrations, faults };
}

/** Connections to `port` that are established, as the system has them: one that was cut does not count. */
function connectionsTo(port: number): number {
  const to = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/self/net/tcp', 'utf8').split('\n').slice(1);
  return rows.filter((row) => {
    const [, , remote = '', state = ''] = row.trim().split(/\s+/);
    return remote.endsWith(to) && state === '01';
  }).length;
}

/** The most connections seen, until it is asked. */
function mostTo(port: number): () => number {
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, connectionsTo(port))), 20);
  return () => {
    clearInterval(timer);
    return most;
  };
}

describe(`${MANY} registrations of one process`, () => {
  it.runIf(process.platform === 'linux')(
    'share four connections, are kept by heartbeats, and stop together',
    async () => {
      await using agent = await startConsulAgent();
      await using proxy = await tcpProxy({ port: Number(new URL(agent.url).port) });
      const mostSeen = mostTo(proxy.port);
      const beganMs = performance.now();
      const { registrations, faults } = await registerMany(proxy, { check: { ttlMs: 3_000 } });
      const startedMs = performance.now() - beganMs;
      let worst = 0;
      for (const endMs = performance.now() + 10_000; performance.now() < endMs; await sleep(100)) {
        const [passing, others] = await counts(agent);
        expect(passing + others).toBe(MANY);
        worst = Math.max(worst, others);
      }
      const failed = faults.length;
      const most = mostSeen();
      const stoppingMs = performance.now();
      await Promise.all(registrations.map((registration) => registration.stop()));
      const stoppedMs = performance.now() - stoppingMs;
      console.log(
        `${MANY} registrations, TTL 3 s: started in ${startedMs.toFixed(0)} ms, most connections ${most}, ` +
          `${proxy.connections} made; 10 s: ${worst} not passing at worst, ${failed} faults (${faults[0] ?? ''}); ` +
          `stopped in ${stoppedMs.toFixed(0)} ms`,
      );
      expect(worst).toBe(0);
      expect(most).toBe(4);
      expect(await servicesOf(agent, 'any')).toEqual([]);
      await until(async () => proxy.open === 0, 2_000);
    },
  );

  it('are heard again before their TTL of 15 s is over, after 8 s of an agent that hung', async () => {
    await using agent = await startConsulAgent();
    await using proxy = await tcpProxy({ port: Number(new URL(agent.url).port) });
    const { registrations, faults } = await registerMany(proxy, {});
    await sleep(2_000);
    const before = proxy.connections;
    await agent.kill('SIGSTOP');
    await sleep(8_000);
    await agent.kill('SIGCONT');
    const made = proxy.connections - before;
    let worst = 0;
    const ms = await until(async () => {
      worst = Math.max(worst, (await counts(agent))[1]);
      return registrations.every((registration) => registration.status().failures === 0);
    }, 15_000);
    for (const endMs = performance.now() + 12_000; performance.now() < endMs; await sleep(200)) {
      worst = Math.max(worst, (await counts(agent))[1]);
    }
    console.log(
      `${MANY} registrations, SIGSTOP of 8 s: ${faults.length} faults, ${made} connections made meanwhile, ` +
        `all confirmed ${ms.toFixed(0)} ms after SIGCONT, ${worst} not passing at worst`,
    );
    expect(worst).toBe(0);
    expect(made).toBeLessThan(40);
    await Promise.all(registrations.map((registration) => registration.stop()));
  });

  it('are all passing within their TTL after 40 s of an agent that hung', async () => {
    await using agent = await startConsulAgent();
    await using proxy = await tcpProxy({ port: Number(new URL(agent.url).port) });
    const { registrations } = await registerMany(proxy, {});
    const before = proxy.connections;
    await agent.kill('SIGSTOP');
    await sleep(40_000);
    await agent.kill('SIGCONT');
    const made = proxy.connections - before;
    const ms = await until(async () => (await counts(agent))[0] === MANY, 15_000);
    console.log(
      `${MANY} registrations, SIGSTOP of 40 s: ${made} connections made meanwhile, ` +
        `all passing ${ms.toFixed(0)} ms after SIGCONT`,
    );
    expect(ms).toBeLessThan(15_000);
    expect(made).toBeLessThan(150);
    await Promise.all(registrations.map((registration) => registration.stop()));
  });
});

describe('a start that ends while its registration is on its way', () => {
  it('leaves nothing registered', async () => {
    await using agent = await startConsulAgent();
    await using proxy = await httpProxy({ target: agent.url });
    const isRegister = ({ path }: { path: string }) => path.includes('/service/register');
    proxy.set({ delayMs: 1_500 }, { match: isRegister });
    const check = { tcp: `127.0.0.1:${proxy.port}`, intervalMs: 1_000 };
    const options = { url: proxy.url, port: 1, check };
    const beganMs = performance.now();
    const aborted = registerService(
      { ...options, name: 'aborted' },
      { signal: AbortSignal.timeout(300) },
    );
    await expect(aborted).rejects.toMatchObject({ name: 'TimeoutError' });
    const ms = performance.now() - beganMs;
    const late = registerService({ ...options, name: 'late', timeoutMs: 500 });
    await expect(late).rejects.toMatchObject({ code: 'ERR_FAIRLEAD_DISCOVERY' });
    console.log(`aborted after 300 ms: rejected after ${ms.toFixed(0)} ms`);
    expect(ms).toBeLessThan(1_200);
    expect(await servicesOf(agent, 'any')).toEqual([]);
    await until(async () => proxy.open === 0, 8_000);
    expect(await servicesOf(agent, 'any')).toEqual([]);
  });
});
