import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { consul } from '../../adapters/consul.js';
import { registerService } from '../../adapters/consul/registration.js';
import type { HealthAnswer } from '../../adapters/consul/registration/health-report.js';
import type { RegistrationOptions } from '../../adapters/consul/registration/options.js';
import type { Registration } from '../../adapters/consul/registration/registration.js';
import { startConsulAgent, type ConsulAgent } from '../../scripts/consul-agent.js';
import { realEnv } from '../../src/env.js';
import type { InstanceSpec } from '../../src/types.js';
import { watchWith, type Watched } from '../adapters/watched.js';
import { serve } from './servers.js';

let agent: ConsulAgent;

beforeAll(async () => {
  agent = await startConsulAgent();
});

afterAll(async () => {
  await agent.stop();
});

const register = (options: RegistrationOptions): Promise<Registration> =>
  registerService({ url: agent.url, settleMs: 0, ...options });

async function raw(path: string, method = 'GET', body?: unknown): Promise<unknown> {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  const reply = await fetch(new URL(`/v1${path}`, agent.url), { method, ...init });
  const text = await reply.text();
  return reply.headers.get('content-type') === 'application/json' ? JSON.parse(text) : text;
}

/** Status and output of the checks of a service, by id. */
async function checksOf(id: string): Promise<Record<string, string>> {
  const checks = await rawChecksOf(id);
  return Object.fromEntries(
    checks.map(({ CheckID, Status, Output }) => [CheckID, `${Status} ${Output}`.trim()]),
  );
}

interface RawCheck {
  readonly ServiceID: string;
  readonly CheckID: string;
  readonly Status: string;
  readonly Output: string;
  readonly Type: string;
}

async function rawChecksOf(id: string): Promise<readonly RawCheck[]> {
  const checks = (await raw('/agent/checks')) as Record<string, RawCheck>;
  return Object.values(checks).filter(({ ServiceID }) => ServiceID === id);
}

async function until(
  condition: () => Promise<boolean> | boolean,
  withinMs = 20_000,
): Promise<number> {
  const beganMs = performance.now();
  while (!(await condition())) {
    if (performance.now() - beganMs > withinMs) throw new Error('it did not come to be so');
    await sleep(5);
  }
  return performance.now() - beganMs;
}

async function watching(service: string, test: (watched: Watched) => Promise<void>): Promise<void> {
  const watched = watchWith(consul({ url: agent.url }), { service, clock: realEnv().clock });
  try {
    await test(watched);
  } finally {
    await watched.abort();
  }
}

const instances = ({ snapshots }: Watched): readonly InstanceSpec[] => {
  const snapshot = snapshots.at(-1);
  return snapshot?.kind === 'instances' ? snapshot.instances : [];
};

const weights = (watched: Watched): string =>
  instances(watched)
    .map(({ weight }) => weight)
    .join();

const median = (times: readonly number[]): string =>
  ([...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0).toFixed(1);

describe('a registration', () => {
  it('arrives with all that it says', async () => {
    await using registration = await register({
      name: 'full',
      port: 8_080,
      id: 'full "a" `b`/c',
      address: '10.0.0.7',
      tags: ['v1', 'blue'],
      meta: { rack: '7', protocol: 'https' },
      weights: { passing: 10, warning: 3 },
      enableTagOverride: true,
      taggedAddresses: {
        lan: { address: '10.1.0.7' },
        wan: { address: '192.0.2.7', port: 443 },
        lan_ipv6: { address: '2001:db8::7', port: 8_081 },
      },
    });
    const [entry] = (await raw('/health/service/full')) as { Service: unknown }[];
    expect(entry?.Service).toMatchObject({
      ID: 'full "a" `b`/c',
      Service: 'full',
      Address: '10.0.0.7',
      Port: 8_080,
      Tags: ['v1', 'blue'],
      Meta: { rack: '7', protocol: 'https' },
      Weights: { Passing: 10, Warning: 3 },
      EnableTagOverride: true,
      TaggedAddresses: {
        lan: { Address: '10.1.0.7', Port: 8_080 },
        wan: { Address: '192.0.2.7', Port: 443 },
        lan_ipv6: { Address: '2001:db8::7', Port: 8_081 },
      },
    });
    expect(await checksOf(registration.id)).toEqual({ [`service:${registration.id}`]: 'passing' });
    await watching('full', async (watched) => {
      await watched.until(() => instances(watched).length === 1);
      expect(instances(watched)).toMatchObject([
        { host: '10.0.0.7', port: 8_080, weight: 10, protocol: 'https', tags: ['v1', 'blue'] },
      ]);
    });
  });

  it('weighs 1 in both states when nothing else is said', async () => {
    await using registration = await register({ name: 'plain', port: 1 });
    expect(await raw(`/agent/service/${registration.id}`)).toMatchObject({
      Weights: { Passing: 1, Warning: 1 },
      Address: '',
      Tags: [],
    });
  });

  it('is seen by a watcher within ms, and its end too', async () => {
    const came: number[] = [];
    const went: number[] = [];
    await watching('quick', async (watched) => {
      await watched.until(({ snapshots }) => snapshots.length === 1);
      for (let i = 0; i < 5; i++) {
        // So that the watch's read budget is full again.
        await sleep(2_100);
        let beganMs = performance.now();
        const registering = register({ name: 'quick', port: 8_000 + i });
        await watched.until(() => instances(watched).length === 1);
        came.push(performance.now() - beganMs);
        const registration = await registering;
        beganMs = performance.now();
        const stopping = registration.stop();
        await watched.until(() => instances(watched).length === 0);
        went.push(performance.now() - beganMs);
        await stopping;
      }
      expect(watched.faults).toEqual([]);
    });
    console.log(
      `seen by a watcher: registered after ${median(came)} ms, gone after ${median(went)} ms (medians of 5)`,
    );
    expect(Math.max(...came, ...went)).toBeLessThan(1_000);
  });

  it('keeps a short TTL passing, with no gap that a watcher would see', async () => {
    await watching('short', async (watched) => {
      await using registration = await register({
        name: 'short',
        port: 1,
        check: { ttlMs: 1_500 },
      });
      await watched.until(() => instances(watched).length === 1);
      const before = watched.snapshots.length;
      await sleep(6_000);
      expect(await checksOf(registration.id)).toEqual({
        [`service:${registration.id}`]: 'passing',
      });
      expect(watched.snapshots).toHaveLength(before);
      expect(registration.status().state).toBe('registered');
    });
  });

  it('hears what health says, and so do its callers', async () => {
    let answer: HealthAnswer = 'passing';
    await watching('moody', async (watched) => {
      const registration = await register({
        name: 'moody',
        port: 1,
        check: { ttlMs: 1_000 },
        weights: { passing: 10, warning: 2 },
        health: () => answer,
      });
      await watched.until(() => weights(watched) === '10');
      answer = { status: 'warning', output: 'slow disk' };
      await watched.until(() => weights(watched) === '2');
      expect(await checksOf(registration.id)).toEqual({
        [`service:${registration.id}`]: 'warning slow disk',
      });
      answer = 'critical';
      await watched.until(() => weights(watched) === '');
      answer = 'passing';
      await watched.until(() => weights(watched) === '10');
      await registration.setStatus('warning', 'by hand');
      await watched.until(() => weights(watched) === '2');
      await registration.setStatus('passing');
      await registration.maintenance(true, 'deploy');
      await watched.until(() => weights(watched) === '');
      await registration.update({ weights: { passing: 20 }, tags: ['v2'] });
      await registration.maintenance(false);
      await watched.until(() => weights(watched) === '20');
      expect(instances(watched)).toMatchObject([{ tags: ['v2'] }]);
      await registration.stop();
      await watched.until(() => watched.snapshots.at(-1)?.kind === 'not-found');
      expect(watched.faults).toEqual([]);
    });
  });

  it('takes the place of what an earlier process left, but ends no maintenance', async () => {
    await raw('/agent/service/register', 'PUT', {
      ID: 'again "1"',
      Name: 'again',
      Port: 1,
      Checks: [
        { CheckID: 'service:again "1"', TTL: '10m' },
        { CheckID: 'old', TTL: '10m' },
      ],
    });
    await raw('/agent/service/register', 'PUT', {
      ID: 'b',
      Name: 'b',
      Port: 1,
      Check: { CheckID: 'bc', TTL: '9m' },
    });
    await raw('/agent/service/maintenance/again%20%221%22?enable=true&reason=by+hand', 'PUT');
    await using registration = await register({ name: 'again', id: 'again "1"', port: 2 });
    expect(await checksOf('again "1"')).toEqual({
      'service:again "1"': 'passing',
      '_service_maintenance:again "1"': 'critical',
    });
    expect(await checksOf('b')).toEqual({ bc: 'critical' });
    await registration.maintenance(false);
    expect(await checksOf('again "1"')).toEqual({ 'service:again "1"': 'passing' });
  });

  it('says what the agent finds wrong', async () => {
    const beganMs = performance.now();
    await expect(register({ name: 'bad', port: 1, meta: { 'a b': 'c' } })).rejects.toMatchObject({
      code: 'ERR_FAIRLEAD_DISCOVERY',
      message: expect.stringContaining('status 400, Invalid Service Meta'),
    });
    expect(performance.now() - beganMs).toBeLessThan(2_000);
  });

  it('is gone at the end of its block', async () => {
    {
      await using registration = await register({ name: 'block', port: 1 });
      expect(await raw(`/agent/service/${registration.id}`)).toMatchObject({ Service: 'block' });
    }
    expect(await raw('/health/service/block')).toEqual([]);
  });
});

describe('checks of the agent', () => {
  it('over HTTP turn passing, warning and critical as the server says', async () => {
    let status = 200;
    const asked: string[] = [];
    const server = await serve((request, response) => {
      asked.push([request.method, request.url, request.headers['x-probe']].join(' '));
      response.writeHead(status).end('fine');
    });
    await using registration = await register({
      name: 'over-http',
      port: server.port,
      address: '127.0.0.1',
      weights: { passing: 5, warning: 1 },
      check: {
        http: `http://127.0.0.1:${server.port}/health`,
        intervalMs: 1_000,
        timeoutMs: 500,
        method: 'POST',
        headers: { 'x-probe': 'consul' },
      },
    });
    await watching('over-http', async (watched) => {
      const ms = await until(() => weights(watched) === '5');
      console.log(`an HTTP check passed ${ms.toFixed(0)} ms after the registration`);
      expect(asked[0]).toBe('POST /health consul');
      status = 429;
      await watched.until(() => weights(watched) === '1');
      status = 500;
      await watched.until(() => weights(watched) === '');
    });
    expect(await checksOf(registration.id)).toEqual({
      [`service:${registration.id}`]: expect.stringContaining('HTTP POST'),
    });
  });

  it('over TCP pass where somebody listens, and gRPC is asked, too', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).resume());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      await using registration = await register({
        name: 'over-tcp',
        port,
        checks: [
          { tcp: `127.0.0.1:${port}`, intervalMs: 1_000 },
          { grpc: `127.0.0.1:${port}/orders.v1`, intervalMs: 1_000, timeoutMs: 500, name: 'grpc' },
          { ttlMs: 2_000, status: 'warning' },
        ],
      });
      const id = (n: number): string => `service:${registration.id}:${n}`;
      await until(
        async () => (await checksOf(registration.id))[id(1)]?.startsWith('passing') ?? false,
      );
      await until(
        async () => (await checksOf(registration.id))[id(2)]?.includes('deadline') ?? false,
      );
      expect(await checksOf(registration.id)).toEqual({
        [id(1)]: `passing TCP connect 127.0.0.1:${port}: Success`,
        [id(2)]: expect.stringMatching(/^critical .*deadline exceeded/),
        [id(3)]: 'warning',
      });
      const types = (await rawChecksOf(registration.id)).map(({ Type }) => Type);
      expect(types.sort()).toEqual(['grpc', 'tcp', 'ttl']);
    } finally {
      server.close();
    }
  });
});
