import { execFile } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { consul } from '../../adapters/consul.js';
import { realEnv } from '../../src/env.js';
import type { Clock, Rng } from '../../src/types.js';
import { entry } from '../adapters/fake-consul.js';
import { watchWith } from '../adapters/watched.js';
import {
  list,
  poseAsAgent,
  silence,
  stuck,
  text,
  truncated,
  type Answer,
  type PosingAgent,
} from './posing-agent.js';

const first = list([entry({ port: 8001 })], 5);
const second = list([entry({ port: 8002 })], 6);
const soon: Rng = { next: () => 0.2 };

/** Real time, but a hundred times as fast: a deadline of 10 s comes after 0.1 s. */
const fastClock: Clock = (() => {
  const { clock } = realEnv();
  return {
    now: () => clock.now() * 100,
    setTimer: (ms, fn) => clock.setTimer(ms / 100, fn),
    sleep: (ms, signal) => clock.sleep(ms / 100, signal),
  };
})();

/** Listens, and takes no connection: one waits, further ones are not even answered. */
const FULL_QUEUE = `
  const { createServer } = require('node:net');
  const { parentPort } = require('node:worker_threads');
  const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;

const watch = (agent: PosingAgent, options: { token?: string } = {}, clock = realEnv().clock) =>
  watchWith(consul({ url: agent.url, ...options }), { clock, rng: soon });

describe('a reply', () => {
  it.each<[string, Answer, string]>([
    ['garbage', text(200, '[{"Node":', 'application/json'), 'the reply is no JSON'],
    ['a page', text(200, '<html>login</html>', 'text/html'), 'no JSON but text/html'],
    ['an object', list({}), 'no list but an object'],
    ['nothing', text(200, '', 'application/json'), 'the reply is no JSON'],
    ['truncated', truncated, 'the connection closed inside the reply'],
    ['cut before it began', (response) => response.destroy(), 'ECONNRESET'],
    [
      'a 500',
      text(500, 'rpc error: No cluster leader'),
      'status 500, rpc error: No cluster leader',
    ],
    ['a 500 page', text(500, '<html>oops</html>', 'text/html'), 'status 500; reading'],
  ])('that is %s costs no list, and the next one counts', async (_what, answer, message) => {
    await using agent = await poseAsAgent(first, answer, second, silence);
    const watched = watch(agent);
    await watched.until(({ snapshots }) => snapshots.length === 2);
    expect(watched.snapshots).toMatchObject([
      { instances: [{ port: 8001 }] },
      { instances: [{ port: 8002 }] },
    ]);
    expect(watched.faults).toHaveLength(1);
    expect(watched.faults[0]?.message).toContain(message);
    await agent.until(({ requests }) => requests.length === 4);
    expect(
      agent.requests.map(({ url }) => new URL(url, agent.url).searchParams.get('index')),
    ).toEqual([null, '5', null, '6']);
    await watched.abort();
  });

  it.each<[string, Answer]>([
    ['never begins', silence],
    ['never ends', stuck],
  ])('that %s is given up at its deadline', async (_what, answer) => {
    await using agent = await poseAsAgent(answer, first, answer, second, silence);
    const watched = watch(agent, {}, fastClock);
    await watched.until(({ snapshots }) => snapshots.length === 2);
    expect(watched.faults.map(({ message }) => message)).toEqual([
      expect.stringContaining('no whole reply within 10 s'),
      expect.stringContaining('no whole reply within 71.75 s'),
    ]);
    await watched.abort();
  });

  it('before the socket closes is whole, with and without a length', async () => {
    const unframed: Answer = (response) => {
      response.useChunkedEncodingByDefault = false;
      response.shouldKeepAlive = false;
      list([entry({ port: 8003 })], 6)(response, undefined as never);
    };
    const closing: Answer = (response, request) => {
      response.setHeader('connection', 'close');
      first(response, request);
    };
    await using agent = await poseAsAgent(closing, unframed, silence);
    const watched = watch(agent);
    await watched.until(({ snapshots }) => snapshots.length === 2);
    expect(watched.faults).toEqual([]);
    await watched.abort();
  });
});

describe('the token', () => {
  it('goes as a header and comes back in no report', async () => {
    const echo: Answer = (response, request) =>
      text(500, `unlucky ${String(request.headers['x-consul-token'])}`)(response, request);
    await using agent = await poseAsAgent(echo, text(403, 'ACL not found'));
    const watched = watch(agent, { token: 'hunter2-hunter2' });
    await watched.until(({ faults }) => faults.length === 2);
    expect(agent.requests.map(({ headers }) => headers['x-consul-token'])).toEqual([
      'hunter2-hunter2',
      'hunter2-hunter2',
    ]);
    expect(agent.requests.every(({ url }) => !url.includes('hunter2'))).toBe(true);
    expect(watched.faults[0]?.message).toContain('unlucky ***');
    for (const fault of watched.faults) {
      expect(Object.keys(fault.cause as object)).not.toContain('response');
      expect(`${fault.message} ${(fault.cause as Error).stack}`).not.toContain('hunter2');
    }
    await watched.abort();
  });

  it('and the password of the URL are in no report either', async () => {
    await using agent = await poseAsAgent(text(500, 'no entry for hunter2'));
    const url = agent.url.replace('//', '//user:hunter2@');
    const watched = watchWith(consul({ url }), { clock: realEnv().clock });
    await watched.until(({ faults }) => faults.length === 1);
    expect(agent.requests[0]?.headers.authorization).toMatch(/^Basic /);
    expect(watched.faults[0]?.message).toContain(`Consul at ${agent.url} gave`);
    expect(watched.faults[0]?.message).not.toContain('hunter2');
    await watched.abort();
  });
});

describe('sockets', () => {
  it('are one per watch, kept alive, and none after an abort', async () => {
    await using agent = await poseAsAgent(first, second, silence);
    const watched = watch(agent);
    await agent.until(({ requests }) => requests.length === 3);
    expect([agent.connections, agent.open]).toEqual([1, 1]);
    await watched.abort();
    await agent.until(({ open }) => open === 0);
    expect(getEventListeners(watched.signal, 'abort')).toHaveLength(0);
  });

  it('are none after an abort between two reads either', async () => {
    await using agent = await poseAsAgent(...[1, 2, 3].map((n) => list([entry({ port: n })], n)));
    const watched = watch(agent);
    await watched.until(({ snapshots }) => snapshots.length === 3);
    await watched.abort();
    await agent.until(({ open }) => open === 0);
    expect(agent.requests).toHaveLength(3);
  });

  it('are one more for fresh data, beside the query that stays parked', async () => {
    await using agent = await poseAsAgent(first, silence, second);
    const watched = watch(agent);
    await agent.until(({ requests }) => requests.length === 2);
    for (const requests of [3, 4]) {
      watched.refresh();
      await agent.until((posing) => posing.requests.length === requests);
      await realEnv().clock.sleep(1_000);
    }
    expect(watched.snapshots).toHaveLength(2);
    expect([agent.connections, agent.open]).toEqual([2, 2]);
    expect(watched.faults).toEqual([]);
    await watched.abort();
    await agent.until(({ open }) => open === 0);
  });

  it('to an address that swallows what is sent there are given up after 2 s', async () => {
    const worker = new Worker(FULL_QUEUE, { eval: true });
    const [port] = (await once(worker, 'message')) as [number];
    const waiting = Array.from({ length: 8 }, () => connect(port, '127.0.0.1'));
    for (const socket of waiting) socket.on('error', () => undefined);
    await realEnv().clock.sleep(100);
    const startMs = performance.now();
    const watched = watchWith(consul({ url: `http://127.0.0.1:${port}` }), {
      clock: realEnv().clock,
    });
    await watched.until(({ faults }) => faults.length === 1);
    const tookMs = performance.now() - startMs;
    await watched.abort();
    for (const socket of waiting) socket.destroy();
    await worker.terminate();
    expect(watched.faults[0]?.message).toContain('no connection within 2 s');
    expect(tookMs).toBeGreaterThan(1_900);
    expect(tookMs).toBeLessThan(6_000);
  });

  it('go to the base path of the URL, and to IPv6 addresses without their brackets', async () => {
    await using agent = await poseAsAgent(first, silence);
    const watched = watchWith(consul({ url: `${agent.url}/consul/` }), { clock: realEnv().clock });
    await watched.until(({ snapshots }) => snapshots.length === 1);
    expect(agent.requests[0]?.url).toBe('/consul/v1/health/service/web');
    await watched.abort();

    // Whether or not this machine has IPv6, `[::1]` must not be taken for a name to resolve.
    const nobody = watchWith(consul({ url: 'http://[::1]:1' }), { clock: realEnv().clock });
    await nobody.until(({ faults }) => faults.length === 1);
    expect(nobody.faults[0]?.message).toMatch(/ECONNREFUSED|EADDRNOTAVAIL|ENETUNREACH/);
    await nobody.abort();
  });

  it('let the process end while a query is parked on one, and a probe kept its own', async () => {
    await using agent = await poseAsAgent(first, second, silence);
    const child = fileURLToPath(new URL('parked-process.ts', import.meta.url));
    const startMs = performance.now();
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', child, agent.url, '6000'],
      { timeout: 20_000 },
    );
    expect(stdout).toBe('2 snapshots, ended by itself\n');
    expect(agent.requests).toHaveLength(3);
    expect(agent.connections).toBe(2);
    expect(performance.now() - startMs).toBeLessThan(15_000);
  });
});
