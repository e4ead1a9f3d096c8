import { describe, expect, it } from 'vitest';
import { AgentError } from '../../adapters/consul/agent-error.js';
import { readAgentOptions } from '../../adapters/consul/agent-options.js';
import { ConnectionPool } from '../../adapters/consul/connection-pool.js';
import { joinPool } from '../../adapters/consul/registration/shared-pool.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { deferred, never, watched } from '../support/promises.js';
import { begin, type Asked, type Scene } from './consul-registration-scene.js';
import { fakeConsul } from './fake-consul.js';

const { signal } = new AbortController();

describe('the pool of all registrations', () => {
  it('is the same at one agent, with the same TLS options, on one clock', () => {
    const clock = new ManualClock();
    const client = fakeConsul();
    const join = (options: Parameters<typeof readAgentOptions>[0], on = clock) =>
      joinPool(readAgentOptions(options).source, on);
    const url = 'https://127.0.0.1:8501';
    const first = join({ url });
    expect(join({ url, token: 'another' }).pool).toBe(first.pool);
    expect(join({ url }, new ManualClock()).pool).not.toBe(first.pool);
    expect(join({ url: 'https://127.0.0.1:8502' }).pool).not.toBe(first.pool);
    expect(join({ url, tls: { servername: 'consul' } }).pool).not.toBe(first.pool);
    const injected = join({ client });
    expect(join({ client }).pool).toBe(injected.pool);
    expect(join({ client: fakeConsul() }).pool).not.toBe(injected.pool);
  });

  it('closes with the last, and is made anew after that', async () => {
    const clock = new ManualClock();
    const source = { client: fakeConsul() };
    const [one, two] = [joinPool(source, clock), joinPool(source, clock)];
    one.close();
    one.close();
    expect(await two.use(signal, () => Promise.resolve('open'))).toBe('open');
    const three = joinPool(source, clock);
    expect(three.pool).toBe(two.pool);
    two.close();
    three.close();
    await expect(three.use(signal, () => Promise.resolve('open'))).rejects.toThrow('closed');
    const four = joinPool(source, clock);
    expect(four.pool).not.toBe(three.pool);
    three.close();
    expect(await four.use(signal, () => Promise.resolve('open'))).toBe('open');
  });

  it('lends four connections at once', async () => {
    const share = joinPool({ client: fakeConsul() }, new ManualClock());
    let using = 0;
    for (let n = 0; n < 6; n++) void share.use(signal, () => (using++, never()));
    await settle();
    expect(using).toBe(4);
  });
});

/** Registers `id`, in the process and at the agent of `scene`. */
const join = (scene: Scene, id: string): Promise<Scene> =>
  begin({ client: scene.agent, id, settleMs: 0 }, undefined, undefined, scene);

const hangsFor =
  (...ids: readonly string[]) =>
  ({ path }: Asked) =>
    ids.some((id) => path.endsWith(`/service:${id}`)) ? ('hangs' as const) : ('well' as const);

describe('registrations that share it', () => {
  it('do not wait behind heartbeats that hang', async () => {
    const scene = await begin({ id: 'web-0' });
    for (let n = 1; n < 10; n++) await join(scene, `web-${n}`);
    scene.agent.behave = hangsFor('web-0', 'web-1', 'web-2');
    scene.news();
    await scene.clock.advance(4_750);
    expect(scene.news()).toHaveLength(10);
  });

  it('wait no longer than their own deadline', async () => {
    const scene = await begin({ id: 'web-0' });
    for (let n = 1; n < 4; n++) await join(scene, `web-${n}`);
    const fifth = await join(scene, 'web-4');
    const faults: string[] = [];
    fifth.begun.value?.on('fault', ({ message }) => faults.push(message));
    scene.agent.behave = () => 'hangs';
    await scene.clock.advance(4_750 + 2_499);
    expect(faults).toEqual([]);
    await scene.clock.advance(1);
    expect(faults).toEqual([expect.stringMatching(/within 2\.5 s$/)]);
  });

  it('are all heard again well before their TTL when the agent hung for 8 s', async () => {
    const scene = await begin({ id: 'web-0' });
    for (let n = 1; n < 60; n++) await join(scene, `web-${n}`);
    const heard = new Map<string, number>();
    let hangs = false;
    let sent = 0;
    scene.agent.behave = ({ path, atMs }) => {
      if (!path.includes('/check/update/')) return 'well';
      if (hangs) {
        sent++;
        return 'hangs';
      }
      heard.set(path, Math.max(heard.get(path) ?? 0, atMs));
      return 'well';
    };
    await scene.clock.advance(9_500);
    hangs = true;
    await scene.clock.advance(8_000);
    hangs = false;
    await scene.clock.advance(5_500); // 15 s after the last was heard is at 24,500
    const late = [...heard.values()].filter((ms) => ms < 17_500);
    expect([heard.size, late]).toEqual([60, []]);
    // Four connections for a deadline each: what an agent finds when it wakes.
    expect(sent).toBeLessThanOrEqual(12);
  });

  it('stop each for itself', async () => {
    const scene = await begin({ id: 'web-0', settleMs: 0 });
    const other = await join(scene, 'web-1');
    const stopping = watched(scene.begun.value?.stop() ?? never());
    await scene.clock.advance(0);
    expect(stopping.status).toBe('resolved');
    scene.news();
    await scene.clock.advance(4_750);
    expect(scene.news()).toEqual(['4750 check/update/service:web-1']);
    expect(other.begun.value?.status()).toMatchObject({ state: 'registered', failures: 0 });
  });
});

it('a connection pool hands on to the newest after a failure, for that has the most time left', async () => {
  const pool = new ConnectionPool({ client: fakeConsul() }, 1, new ManualClock());
  const hung = deferred<never>();
  const order: number[] = [];
  const first = watched(pool.use(signal, () => hung.promise));
  const others = [1, 2, 3].map((n) => pool.use(signal, async () => order.push(n)));
  hung.reject(new AgentError('no whole reply'));
  await Promise.all(others);
  expect(first.status).toBe('rejected');
  expect(order).toEqual([3, 1, 2]);
});
