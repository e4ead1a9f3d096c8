import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { registerService } from '../../adapters/consul/registration.js';
import type { RegistrationOptions } from '../../adapters/consul/registration/options.js';
import type {
  Registration,
  RegistrationEvents,
} from '../../adapters/consul/registration/registration.js';
import { type ConsulAgent, startConsulAgent } from '../../scripts/consul-agent.js';
import { list, poseAsAgent, silence, stuck, truncated } from './posing-agent.js';

interface Entry {
  readonly Service: { readonly ID: string; readonly Weights: unknown };
  readonly Checks: readonly { readonly CheckID: string; readonly Status: string }[];
}

/** What the agent tells callers; `undefined` while it does not answer. */
async function entriesOf(agent: ConsulAgent, service: string): Promise<Entry[] | undefined> {
  try {
    const path = `/v1/health/service/${service}`;
    const signal = AbortSignal.timeout(1_000);
    const reply = await fetch(new URL(path, agent.url), { signal });
    return reply.ok ? ((await reply.json()) as Entry[]) : undefined;
  } catch {
    return undefined;
  }
}

const isPassing = async (agent: ConsulAgent, service: string): Promise<boolean> => {
  const entries = await entriesOf(agent, service);
  return entries?.length === 1 && entries[0]?.Checks.every((c) => c.Status === 'passing') === true;
};

async function until(condition: () => Promise<boolean>, withinMs = 30_000): Promise<number> {
  const beganMs = performance.now();
  while (!(await condition())) {
    if (performance.now() - beganMs > withinMs) throw new Error('it did not come to be so');
    await sleep(10);
  }
  return performance.now() - beganMs;
}

const register = (agent: ConsulAgent, options: Partial<RegistrationOptions> = {}) =>
  registerService({ url: agent.url, name: 'orders', port: 1, settleMs: 0, ...options });

function told(registration: Registration): string[] {
  const events: string[] = [];
  const note = (event: RegistrationEvents['lost' | 'registered' | 'fault']): void => {
    events.push(JSON.stringify(event));
  };
  for (const name of ['lost', 'registered', 'fault'] as const) registration.on(name, note);
  return events;
}

describe('an agent that is killed and comes back empty', () => {
  it.each<[string, Partial<RegistrationOptions>, number]>([
    ['a TTL check of 2 s', { check: { ttlMs: 2_000 } }, 3_000],
    ['the default check', {}, 8_000],
    ['a TTL check of ten minutes', { check: { ttlMs: 600_000 } }, 15_000],
    [
      'no TTL check',
      { check: { tcp: '127.0.0.1:1', intervalMs: 1_000, status: 'passing' } },
      15_000,
    ],
  ])('has a service with %s again', async (what, options, withinMs) => {
    await using agent = await startConsulAgent();
    await using registration = await register(agent, options);
    const events = told(registration);
    await agent.restart();
    const ms = await until(async () => (await entriesOf(agent, 'orders'))?.length === 1);
    console.log(`${what}: registered again ${ms.toFixed(0)} ms after the agent was ready`);
    expect(ms).toBeLessThan(withinMs);
    if (!('tcp' in (options.check ?? {}))) await until(() => isPassing(agent, 'orders'));
    await until(async () => events.some((event) => event === '{"id":"' + registration.id + '"}'));
    expect(registration.status()).toMatchObject({ state: 'registered', failures: 0 });
  });

  it('has it again after 20 s of refused connections', async () => {
    await using agent = await startConsulAgent();
    await using registration = await register(agent);
    const events = told(registration);
    await agent.kill();
    await sleep(20_000);
    expect(registration.status()).toMatchObject({
      state: 'registered',
      lastFault: expect.stringContaining('ECONNREFUSED'),
    });
    // Of the many that failed the first was told.
    expect(events.filter((event) => event.includes('ECONNREFUSED'))).toHaveLength(1);
    await agent.restart();
    const ms = await until(() => isPassing(agent, 'orders'));
    console.log(`after 20 s without an agent: passing ${ms.toFixed(0)} ms after it was ready`);
    expect(ms).toBeLessThan(8_000);
  });
});

describe('an agent that is stopped for 5 s', () => {
  it('has the service passing soon after', async () => {
    await using agent = await startConsulAgent();
    await using registration = await register(agent, { check: { ttlMs: 2_000 } });
    await agent.kill('SIGSTOP');
    await sleep(5_000);
    await agent.kill('SIGCONT');
    const ms = await until(() => isPassing(agent, 'orders'), 10_000);
    await until(async () => registration.status().failures === 0);
    console.log(
      `after SIGSTOP of 5 s with a TTL of 2 s: passing ${ms.toFixed(0)} ms after SIGCONT`,
    );
    expect(await isPassing(agent, 'orders')).toBe(true);
    expect(ms).toBeLessThan(3_000);
  });

  it('does not hold up a stop', async () => {
    await using agent = await startConsulAgent();
    const registration = await register(agent);
    const stopped: boolean[] = [];
    registration.on('stopped', ({ deregistered }) => stopped.push(deregistered));
    await agent.kill('SIGSTOP');
    // The signal takes a while to be delivered.
    await until(async () => (await entriesOf(agent, 'orders')) === undefined);
    const beganMs = performance.now();
    await registration.stop();
    const ms = performance.now() - beganMs;
    console.log(`stop() at a stopped agent: ${ms.toFixed(0)} ms`);
    expect(ms).toBeLessThan(4_500);
    expect(stopped).toEqual([false]);
    await agent.kill('SIGCONT');
  });

  it('does not hold up a stop when it is killed, either', async () => {
    await using agent = await startConsulAgent();
    const registration = await register(agent);
    await agent.kill();
    const beganMs = performance.now();
    await registration.stop();
    expect(performance.now() - beganMs).toBeLessThan(4_500);
  });
});

describe('the first registration', () => {
  it('waits for an agent that is still starting', async () => {
    await using agent = await startConsulAgent();
    await agent.kill();
    const registering = register(agent);
    await sleep(500);
    await agent.restart();
    await using registration = await registering;
    expect(registration.status().state).toBe('registered');
    expect(await isPassing(agent, 'orders')).toBe(true);
  });

  it.each([
    ['never answers', silence],
    ['never ends its answer', stuck],
    ['cuts its answer short', truncated],
  ])('at an agent that %s ends after timeoutMs', async (_what, answer) => {
    await using agent = await poseAsAgent(answer);
    const beganMs = performance.now();
    await expect(
      registerService({ url: agent.url, name: 'orders', port: 1, timeoutMs: 1_000 }),
    ).rejects.toMatchObject({ code: 'ERR_FAIRLEAD_DISCOVERY' });
    expect(performance.now() - beganMs).toBeGreaterThan(990);
    await agent.until(({ open }) => open === 0);
    expect(agent.requests.length).toBeLessThan(20);
  });
});

describe('sockets', () => {
  it('are one, kept alive, and none after a stop', async () => {
    await using agent = await poseAsAgent(list({}));
    const check = { ttlMs: 1_000 };
    const options = { url: agent.url, name: 'orders', port: 1, settleMs: 0, check };
    const registration = await registerService(options);
    await agent.until(({ requests }) => requests.length >= 6);
    expect([agent.connections, agent.open]).toEqual([1, 1]);
    await registration.stop();
    await agent.until(({ open }) => open === 0);
    expect(agent.requests.at(-1)?.url).toBe(`/v1/agent/service/deregister/${registration.id}`);
  });
});

describe('an agent with ACLs', () => {
  const config = { acl: { enabled: true, default_policy: 'deny', tokens: { master: 'root' } } };
  const writer = '11111111-2222-3333-4444-555555555555';

  const put = async (agent: ConsulAgent, path: string, body: unknown, token = 'root') => {
    const init = { method: 'PUT', headers: { 'x-consul-token': token } };
    const reply = await fetch(new URL(`/v1${path}`, agent.url), {
      ...init,
      body: JSON.stringify(body),
    });
    if (!reply.ok) throw new Error(`${path}: ${await reply.text()}`);
  };

  it('refuses a wrong token at once, and nothing shows it', async () => {
    await using agent = await startConsulAgent({ config, token: 'root' });
    const beganMs = performance.now();
    const failure: Error = await register(agent, { token: 'wrong-hunter2' }).then(
      () => new Error('it was taken'),
      (error: unknown) => error as Error,
    );
    expect(performance.now() - beganMs).toBeLessThan(2_000);
    expect(failure.message).toMatch(
      /refused the registration of "orders-.*": status 403, ACL not found; check the option "token"$/,
    );
    const shown = `${failure.stack} ${JSON.stringify(failure)} ${(failure.cause as Error).stack}`;
    expect(shown).not.toContain('hunter2');
    await expect(register(agent)).rejects.toThrow('Permission denied');
  });

  it('takes a token that may write the service, with its rotation and its loss', async () => {
    await using agent = await startConsulAgent({ config, token: 'root' });
    await put(agent, '/acl/policy', { Name: 'w', Rules: 'service "orders" { policy = "write" }' });
    await put(agent, '/acl/token', { SecretID: writer, Policies: [{ Name: 'w' }] });
    let token = writer;
    const check = { ttlMs: 2_000 };
    await using registration = await register(agent, { token: () => token, check });
    const events = told(registration);

    token = 'wrong-hunter2';
    await until(async () => events.some((event) => event.includes('ACL not found')));
    token = writer;
    await until(async () => registration.status().failures === 0);

    // Its words for what it has lost differ where it has ACLs.
    await put(agent, `/agent/service/deregister/${registration.id}`, undefined);
    const ms = await until(async () =>
      events.some((event) => event.startsWith('{"id":"orders') && event.endsWith('"}')),
    );
    await until(async () => registration.status().state === 'registered');
    console.log(`deregistered behind its back: noticed after ${ms.toFixed(0)} ms`);
    expect(JSON.stringify([events, registration.status()])).not.toContain('hunter2');
    expect(JSON.stringify([events, registration.status()])).not.toContain(writer);
  });
});

it('a registration alone lets the process end', async () => {
  await using agent = await startConsulAgent();
  const child = fileURLToPath(new URL('consul-registration-process.ts', import.meta.url));
  const beganMs = performance.now();
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', child, agent.url, 'idle'],
    { timeout: 20_000 },
  );
  expect(stdout).toBe('ended by itself, registered\n');
  expect(performance.now() - beganMs).toBeLessThan(15_000);
  expect(await entriesOf(agent, 'orders')).toHaveLength(1);
});
