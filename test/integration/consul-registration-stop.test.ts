import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { consul } from '../../adapters/consul.js';
import { registerService } from '../../adapters/consul/registration.js';
import { type ConsulAgent, startConsulAgent } from '../../scripts/consul-agent.js';
import { type Client, createClient } from '../../src/index.js';
import { httpProxy } from '../../src/testing/http-proxy.js';
import { serve } from './servers.js';

let agent: ConsulAgent;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  agent = await startConsulAgent();
});

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

afterAll(async () => {
  await agent.stop();
});

/** Calls without a pause, twenty at a time, each sent once: nothing hides a failure. */
interface Load {
  readonly client: Client;
  readonly errors: unknown[];
  /** Calls that each instance answered, by what it says. */
  readonly answered: Map<string, number>;
  stop(): Promise<void>;
}

async function load(service: string, instances: number): Promise<Load> {
  const client = createClient({
    service,
    discovery: consul({ url: agent.url }),
    policy: 'round-robin',
    breaker: false,
    retry: false,
    slowStartMs: 0,
    timeoutMs: 10_000,
  });
  await client.ready();
  while (client.snapshot().instances.length < instances) await sleep(5);
  const errors: unknown[] = [];
  const answered = new Map<string, number>();
  let running = true;
  const callers = Array.from({ length: 20 }, async () => {
    while (running) {
      try {
        const who = await client.call(async ({ instance, signal }) => {
          const reply = await fetch(instance.url, { signal });
          return reply.text();
        });
        answered.set(who, (answered.get(who) ?? 0) + 1);
      } catch (error) {
        errors.push(error);
        await sleep(10);
      }
    }
  });
  return {
    client,
    errors,
    answered,
    async stop() {
      running = false;
      await Promise.all(callers);
      await client.close();
    },
  };
}

const sum = ({ answered }: Load): number => [...answered.values()].reduce((a, b) => a + b, 0);

async function registeredIds(service: string): Promise<string[]> {
  const reply = await fetch(new URL(`/v1/health/service/${service}`, agent.url));
  const entries = (await reply.json()) as { Service: { ID: string } }[];
  return entries.map(({ Service }) => Service.ID);
}

describe('a graceful stop under load', () => {
  it('fails no call', async () => {
    const service = 'graceful';
    const start = async (n: number) => {
      const server = await serve((_request, response) => {
        setTimeout(() => response.end(`server ${n}`), 5);
      });
      const registration = await registerService({
        url: agent.url,
        name: service,
        port: server.port,
        address: '127.0.0.1',
        check: { ttlMs: 3_000 },
      });
      return { server, registration };
    };
    const [one, two, three] = [await start(1), await start(2), await start(3)];
    const calls = await load(service, 3);
    await sleep(500);
    const before = sum(calls);
    expect(calls.answered.get('server 3')).toBeGreaterThan(10);

    const order: string[] = [];
    let lastMs = 0;
    const beganMs = performance.now();
    await three.registration.stop({
      drain: async () => {
        order.push(`drain with ${(await registeredIds(service)).length} registered`);
        lastMs = three.server.seen.length;
        await three.server.close();
        order.push('closed');
      },
    });
    const ms = performance.now() - beganMs;
    const seen = three.server.seen.length;
    await sleep(500);
    await calls.stop();
    console.log(
      `stop() with drain under load took ${ms.toFixed(0)} ms; ${sum(calls) - before} calls since, ` +
        `${calls.errors.length} failed, ${seen - lastMs} came after the settling`,
    );
    expect(order).toEqual(['drain with 2 registered', 'closed']);
    expect(calls.errors).toEqual([]);
    expect(seen).toBe(lastMs);
    expect(sum(calls) - before).toBeGreaterThan(50);
    await Promise.all([one, two].map(({ registration }) => registration.stop({ settleMs: 0 })));
    expect(await registeredIds(service)).toEqual([]);
  });
});

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Exit code and signal. */
  readonly exited: Promise<readonly [number | null, string | null]>;
}

async function start(mode: string): Promise<Started> {
  const started = run(mode, agent.url);
  while (!started.output().includes('ready')) {
    if (started.child.exitCode !== null) throw new Error(`it ended early: ${started.output()}`);
    await sleep(10);
  }
  return started;
}

function run(mode: string, url: string): Started {
  const file = fileURLToPath(new URL('consul-registration-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', file, url, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  const exited = once(child, 'close') as unknown as Started['exited'];
  return { child, exited, output: () => output };
}

describe('a process that gets SIGTERM', () => {
  it('with signals stops its registration, drains, and ends by the signal', async () => {
    const started = await Promise.all(['serve', 'serve', 'serve'].map(start));
    const calls = await load('orders', 3);
    await sleep(500);
    expect(calls.answered.size).toBe(3);
    const [first] = started;
    const beganMs = performance.now();
    first?.child.kill('SIGTERM');
    expect(await first?.exited).toEqual([null, 'SIGTERM']);
    const ms = performance.now() - beganMs;
    expect(await registeredIds('orders')).toHaveLength(2);
    await sleep(500);
    await calls.stop();
    console.log(
      `SIGTERM with signals: ended after ${ms.toFixed(0)} ms, ${calls.errors.length} of ${sum(calls)} calls failed`,
    );
    expect(first?.output()).toBe('ready\ndrained\n');
    expect(calls.errors).toEqual([]);
  });

  it('twice ends at once', async () => {
    const { child, exited, output } = await start('serve');
    child.kill('SIGTERM');
    await sleep(100);
    child.kill('SIGTERM');
    expect(await exited).toEqual([null, 'SIGTERM']);
    // It was not drained.
    expect(output()).toBe('ready\n');
  });

  it('while it starts takes back what it began, and ends by the signal', async () => {
    await using proxy = await httpProxy({ target: agent.url });
    const isRegister = ({ path }: { path: string }) => path.includes('/service/register');
    // The agent takes it; the reply does not come.
    proxy.set({ delayMs: 60_000 }, { match: isRegister });
    const before = await registeredIds('orders');
    const { child, exited, output } = run('serve', proxy.url);
    while ((await registeredIds('orders')).length === before.length) await sleep(10);
    child.kill('SIGTERM');
    expect(await exited).toEqual([null, 'SIGTERM']);
    expect(output()).toBe('');
    expect(await registeredIds('orders')).toEqual(before);
  });

  it('without signals ends as it always did', async () => {
    const { child, exited, output } = await start('unguarded');
    const before = await registeredIds('orders');
    child.kill('SIGTERM');
    expect(await exited).toEqual([null, 'SIGTERM']);
    expect(output()).toBe('ready\n');
    expect(await registeredIds('orders')).toEqual(before);
  });
});
