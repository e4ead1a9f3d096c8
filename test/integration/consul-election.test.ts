import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { electLeader, type Election } from '../../adapters/consul/election.js';
import { type ConsulAgent, startConsulAgent } from '../../scripts/consul-agent.js';
import { httpProxy } from '../../src/testing/http-proxy.js';
import type { CandidateCommand, CandidateMessage } from './consul-election-process.js';

/** The session time to live of the candidates. Consul takes up to twice as long to give a session up. */
const TTL_MS = 10_000;
const FREED_MS = 2 * TTL_MS;
/** For a busy machine, and the second between two askings of a standby. */
const SLACK_MS = 5_000;

interface Write {
  readonly token: number;
  readonly writer: number;
  readonly accepted: boolean;
}

/** A store that refuses what comes with a lower token than it has seen. */
interface FencedStore extends AsyncDisposable {
  readonly url: string;
  readonly writes: readonly Write[];
}

async function openStore(): Promise<FencedStore> {
  const writes: Write[] = [];
  let highest = 0;
  // Longer than a process is stopped for: what it sends then must arrive.
  const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
    const query = new URL(request.url ?? '', 'http://store').searchParams;
    const [token, writer] = [Number(query.get('token')), Number(query.get('writer'))];
    const accepted = token >= highest;
    highest = Math.max(highest, token);
    writes.push({ token, writer, accepted });
    response.writeHead(accepted ? 200 : 409).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    writes,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Told<Kind extends CandidateMessage['kind']> = Extract<CandidateMessage, { kind: Kind }>;

class Candidate implements AsyncDisposable {
  readonly messages: (CandidateMessage & { readonly atMs: number })[] = [];
  readonly #child: ChildProcess;
  #changed: () => void = () => undefined;

  constructor(url: string, key: string, store: FencedStore, lockDelayMs: number) {
    const file = fileURLToPath(new URL('consul-election-process.ts', import.meta.url));
    const args = [url, key, store.url, String(lockDelayMs)];
    this.#child = fork(file, args, { execArgv: ['--import', 'tsx'] });
    children.add(this.#child);
    this.#child.on('message', (message: CandidateMessage) => {
      this.messages.push({ ...message, atMs: performance.now() });
      this.#changed();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  tell(command: CandidateCommand): void {
    this.#child.send(command);
  }

  /** The first message of its kind after `afterMs`. */
  async told<Kind extends CandidateMessage['kind']>(
    kind: Kind,
    afterMs = 0,
    withinMs = 50_000,
  ): Promise<Told<Kind> & { readonly atMs: number }> {
    const endMs = performance.now() + withinMs;
    for (;;) {
      const found = this.messages.find(
        (message) => message.kind === kind && message.atMs > afterMs,
      );
      if (found !== undefined) return found as Told<Kind> & { readonly atMs: number };
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) throw new Error(`${this.pid} said nothing of "${kind}" in ${withinMs} ms`);
      const changed = new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
      await Promise.race([changed, sleep(Math.min(leftMs, 1_000))]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    children.delete(this.#child);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

const children = new Set<ChildProcess>();
let agent: ConsulAgent;

beforeAll(async () => {
  agent = await startConsulAgent();
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await agent.stop();
});

/** A leader and a standby, the leader first, both of them at work. */
async function pair(
  key: string,
  store: FencedStore,
  lockDelayMs: number,
  { url } = agent,
): Promise<[Candidate, Candidate]> {
  const leader = new Candidate(url, key, store, lockDelayMs);
  await leader.told('elected');
  const standby = new Candidate(url, key, store, lockDelayMs);
  await standby.told('standing');
  return [leader, standby];
}

async function sessions(url: string, key: string): Promise<number> {
  const reply = await fetch(`${url}/v1/session/list`);
  const list = (await reply.json()) as readonly { readonly Name: string }[];
  return list.filter(({ Name: name }) => name.endsWith(` ${key}`)).length;
}

/** Accepted writes come in the order of their tokens, and each token has one writer. */
function expectOrder({ writes }: FencedStore): void {
  const accepted = writes.filter((write) => write.accepted);
  expect(accepted.length).toBeGreaterThan(2);
  accepted.forEach(({ token, writer }, i) => {
    const before = accepted[i - 1];
    expect(token).toBeGreaterThanOrEqual(before?.token ?? 0);
    if (token === before?.token) expect(writer).toBe(before.writer);
  });
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;

describe.concurrent('two processes', () => {
  it.each([500, 15_000])(
    'of which the leader is SIGKILLed, lock-delay %i ms',
    async (lockDelayMs) => {
      await using store = await openStore();
      const [leader, standby] = await pair(`killed-${lockDelayMs}`, store, lockDelayMs);
      await using _leader = leader;
      await using _standby = standby;
      const killedMs = performance.now();
      leader.kill('SIGKILL');
      const { atMs, fencingToken } = await standby.told('elected');
      const tookMs = atMs - killedMs;
      console.log(
        `leader SIGKILLed, lock-delay ${lockDelayMs} ms: takeover after ${seconds(tookMs)}`,
      );
      expect(tookMs).toBeGreaterThan(lockDelayMs);
      expect(tookMs).toBeLessThan(FREED_MS + lockDelayMs + SLACK_MS);
      expect(fencingToken).toBeGreaterThan((await leader.told('elected')).fencingToken);
      while (store.writes.at(-1)?.token !== fencingToken) await sleep(20);
      expectOrder(store);
    },
  );

  it('of which the leader is SIGSTOPped past its session, and continued', async () => {
    await using store = await openStore();
    const [leader, standby] = await pair('stopped', store, 500);
    await using _leader = leader;
    await using _standby = standby;
    const { fencingToken: before } = await leader.told('elected');
    while (store.writes.length === 0) await sleep(20);
    const stoppedMs = performance.now();
    leader.kill('SIGSTOP');
    const { atMs, fencingToken } = await standby.told('elected');
    while (store.writes.at(-1)?.token !== fencingToken) await sleep(20);

    leader.kill('SIGCONT');
    const woke = await leader.told('woke');
    const { reason } = await leader.told('lost');
    console.log(
      `leader SIGSTOPped: takeover after ${seconds(atMs - stoppedMs)}; continued: isLeader ${woke.isLeader}, ` +
        `its write ${woke.written ? 'accepted' : 'refused'}, lost: ${reason}`,
    );
    expect(woke).toMatchObject({ isLeader: false, written: false });
    expect(reason).toBe('expired');
    expect(fencingToken).toBeGreaterThan(before);
    await sleep(500); // both write, if they believe to lead
    expect(store.writes.some(({ accepted }) => !accepted)).toBe(true);
    expect(leader.messages.filter(({ kind }) => kind === 'elected')).toHaveLength(1);
    expectOrder(store);
  });

  it('hand over in good order', async () => {
    await using store = await openStore();
    const [leader, standby] = await pair('handed', store, 15_000);
    await using _leader = leader;
    await using _standby = standby;
    const times: number[] = [];
    const between = async (from: Candidate, to: Candidate, command: CandidateCommand) => {
      const toldMs = performance.now();
      from.tell(command);
      times.push((await to.told('elected', toldMs)).atMs - toldMs);
    };
    await between(leader, standby, 'resign');
    await between(standby, leader, 'resign');
    await between(leader, standby, 'close');
    // Its writer sleeps for 50 ms, and is waited for.
    console.log(
      `handover between processes: ${times.map((ms) => `${ms.toFixed(0)} ms`).join(', ')}`,
    );
    expect(Math.max(...times)).toBeLessThan(SLACK_MS);
    while ((await sessions(agent.url, 'handed')) > 1) await sleep(20);
    expectOrder(store);
  });
});

describe.concurrent('an agent that is SIGKILLed and started again, without its state,', () => {
  it.each<[string, boolean]>([
    ['at once', false],
    ['after the lead has expired', true],
  ])('%s', async (when, expires) => {
    await using own = await startConsulAgent();
    // So that what it counts after the restart is less than what it counted before.
    for (let i = 0; i < 30; i++) {
      await fetch(`${own.url}/v1/kv/any`, { method: 'PUT', body: String(i) });
    }
    await using store = await openStore();
    const [leader, standby] = await pair('reborn', store, 1_000, own);
    await using _leader = leader;
    await using _standby = standby;
    const { fencingToken: before } = await leader.told('elected');
    const killedMs = performance.now();
    await own.kill();
    if (expires) {
      const { atMs, reason } = await leader.told('lost');
      console.log(
        `agent SIGKILLed: the leader stepped down after ${seconds(atMs - killedMs)}, ${reason}`,
      );
      expect(reason).toBe('expired');
      expect(atMs - killedMs).toBeLessThan((TTL_MS * 2) / 3 + SLACK_MS);
    }
    await own.restart();
    const backMs = performance.now();
    const next = await Promise.race([
      leader.told('elected', killedMs),
      standby.told('elected', killedMs),
    ]);
    const reply = await fetch(`${own.url}/v1/kv/reborn`);
    const [entry] = (await reply.json()) as [{ ModifyIndex: number }];
    console.log(
      `agent back ${when}: a leader after ${seconds(next.atMs - backMs)}, token ${before} -> ${next.fencingToken}, ` +
        `ModifyIndex ${entry.ModifyIndex}`,
    );
    expect(next.fencingToken).toBeGreaterThan(before);
    while (store.writes.at(-1)?.token !== next.fencingToken) await sleep(20);
    expectOrder(store);
  });
});

describe.concurrent('a process', () => {
  it.each([
    ['leave', 'led with a token\nended by itself with 0\n'],
    ['close', 'led with a token\nclosed, 0 sockets left\nended by itself with 0\n'],
    ['lead', 'led with a token\nled until closed\nended by itself with 0\n'],
  ])('is held by its election only for what it waits for (%s)', async (end, output) => {
    const file = fileURLToPath(new URL('consul-election-idle-process.ts', import.meta.url));
    const args = ['--import', 'tsx', file, agent.url, `idle-${end}`, end];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 30_000 });
    expect(stdout).toBe(output);
    expect(await sessions(agent.url, `idle-${end}`)).toBe(end === 'leave' ? 1 : 0);
  });
});

describe.concurrent('candidates in one process', () => {
  const stand = (
    key: string,
    options: { url?: string; lockDelayMs?: number; checks?: string[] } = {},
  ): Election => electLeader({ url: agent.url, key, sessionTtlMs: TTL_MS, ...options });

  async function byLeading(elections: readonly Election[]): Promise<readonly Election[]> {
    await Promise.race(elections.map((election) => election.whenLeader()));
    return [...elections].sort((a, b) => Number(b.isLeader) - Number(a.isLeader));
  }

  it('hand over twenty times, with one leader per token, and tokens that grow', async () => {
    const elections = [1, 2, 3].map(() => stand('turns'));
    const terms: { readonly token: number; readonly who: number }[] = [];
    elections.forEach((election, who) => {
      election.on('elected', ({ fencingToken: token }) => terms.push({ token, who }));
    });
    const times: number[] = [];
    for (let turn = 0; turn < 20; turn++) {
      const [leader, ...others] = await byLeading(elections);
      expect(others.map(({ isLeader }) => isLeader)).toEqual([false, false]);
      while (others.some(({ leader: seen }) => seen === undefined)) await sleep(5);
      const startMs = performance.now();
      await leader?.resign();
      await Promise.race(others.map((other) => other.whenLeader()));
      times.push(performance.now() - startMs);
    }
    await Promise.all(elections.map((election) => election.close()));
    const sorted = [...times].sort((a, b) => a - b);
    const ms = (q: number): string =>
      (sorted[Math.floor(q * (sorted.length - 1))] ?? NaN).toFixed(1);
    console.log(`handover in one process: p50 ${ms(0.5)} ms, max ${ms(1)} ms`);
    console.log(
      `tokens of 3 candidates: ${terms.map(({ token, who }) => `${token}/${who}`).join(' ')}`,
    );
    expect(terms.length).toBeGreaterThanOrEqual(21);
    terms.forEach(({ token }, i) => {
      expect(token).toBeGreaterThan(terms[i - 1]?.token ?? 0);
    });
    expect(await sessions(agent.url, 'turns')).toBe(0);
  });

  it.each<[string, string, number, (key: string) => Promise<unknown>]>([
    [
      'the key is deleted',
      'lock-lost',
      0,
      (key) => fetch(`${agent.url}/v1/kv/${key}`, { method: 'DELETE' }),
    ],
    [
      'its session is destroyed',
      'lock-lost',
      1_000,
      async (key) =>
        fetch(`${agent.url}/v1/session/destroy/${await holder(key)}`, { method: 'PUT' }),
    ],
    [
      'the lock is released for it',
      'lock-lost',
      0,
      async (key) =>
        fetch(`${agent.url}/v1/kv/${key}?release=${await holder(key)}`, { method: 'PUT' }),
    ],
    ['its check is critical', 'lock-lost', 1_000, () => agent.failCheck('checked')],
  ])('step down at once when %s', async (what, reason, lockDelayMs, act) => {
    const key = `lost/${what.replaceAll(' ', '-')}`;
    await agent.register({ name: 'checked', port: 8001, id: 'checked' });
    const checks = what.includes('check') ? ['service:checked'] : [];
    await using first = stand(key, { lockDelayMs: 1_000, checks });
    const { fencingToken } = await first.whenLeader();
    await using second = stand(key, { lockDelayMs: 1_000 });
    while (second.leader === undefined) await sleep(5);
    const lost = new Promise<{ atMs: number; why: string }>((resolve) => {
      first.on('lost', ({ reason: why }) => resolve({ atMs: performance.now(), why }));
    });
    const startMs = performance.now();
    await act(key);
    const { atMs, why } = await lost;
    const next = await Promise.race([second.whenLeader(), first.whenLeader()]);
    const tookMs = performance.now() - startMs;
    console.log(
      `${what}: stepped down after ${(atMs - startMs).toFixed(1)} ms, a leader after ${tookMs.toFixed(0)} ms, ` +
        `token ${fencingToken} -> ${next.fencingToken}`,
    );
    expect(why).toBe(reason);
    expect(next.fencingToken).toBeGreaterThan(fencingToken);
    expect(tookMs).toBeGreaterThanOrEqual(lockDelayMs);
  });

  it('leave the lead to another where renewals reach Consul, but are answered too late', async () => {
    await using proxy = await httpProxy({ target: agent.url });
    await using ill = stand('ill', { url: proxy.url, lockDelayMs: 7_000 });
    await ill.whenLeader();
    await using healthy = stand('ill', { lockDelayMs: 7_000 });
    while (healthy.leader === undefined) await sleep(5);
    const startMs = performance.now();
    // A renewal of a session of 10 s is waited for for 1.67 s.
    proxy.set({ delayMs: 1_900 }, { match: ({ path }) => path.includes('/session/renew/') });
    let lostMs = NaN;
    ill.on('lost', () => {
      lostMs = performance.now() - startMs;
    });
    await healthy.whenLeader();
    const tookMs = performance.now() - startMs;
    console.log(
      `renewals answered after 1.9 s: stepped down after ${seconds(lostMs)}, another leads after ${seconds(tookMs)}`,
    );
    expect(lostMs).toBeLessThan(TTL_MS);
    expect(tookMs).toBeLessThan((2 * TTL_MS * 2) / 3 + SLACK_MS);
    expect(ill.isLeader).toBe(false);
  });

  it('have tokens that grow over a plain write, which resets the LockIndex', async () => {
    const lock = async () => {
      const reply = await fetch(`${agent.url}/v1/kv/written`);
      return ((await reply.json()) as [Record<string, unknown>])[0];
    };
    await using first = stand('written');
    const { fencingToken } = await first.whenLeader();
    await using second = stand('written');
    while (second.leader === undefined) await sleep(5);
    await fetch(`${agent.url}/v1/kv/written`, { method: 'PUT', body: 'mine' });
    expect(await lock()).toMatchObject({ LockIndex: 0 });
    expect(first.isLeader).toBe(true);
    await first.resign();
    const next = await second.whenLeader();
    expect(next.fencingToken).toBeGreaterThan(fencingToken);
    expect(await lock()).toMatchObject({ LockIndex: 1, ModifyIndex: next.fencingToken });
  });

  async function holder(key: string): Promise<string> {
    const reply = await fetch(`${agent.url}/v1/kv/${key}`);
    const [entry] = (await reply.json()) as [{ readonly Session: string }];
    return entry.Session;
  }
});
