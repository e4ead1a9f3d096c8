/** Tokens and the rights they carry, at an agent that denies by default. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Consul from 'consul';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { agentZone, consul, type ConsulOptions, type TokenSource } from '../../adapters/consul.js';
import { httpProxy, type HttpProxy } from '../../src/testing.js';
import { type AclAgent, MAY_READ, startAclAgent, type Token } from './acl-agent.js';
import { observe, type ObservedClient } from './observed-client.js';

let acl: AclAgent;
let folder: string;
let tokenFile: string;
let service: string;
let tests = 0;
/** Those that were made up, and those that only a test knows. */
const madeUp: string[] = [];
const observed: ObservedClient[] = [];

beforeAll(async () => {
  acl = await startAclAgent();
  folder = mkdtempSync(path.join(tmpdir(), 'fairlead-acl-'));
  tokenFile = path.join(folder, 'token');
});

afterAll(async () => {
  await acl.agent.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Each test has a service of its own, with two instances. */
async function registerTwo(): Promise<void> {
  service = `orders-${++tests}`;
  await acl.agent.register({ name: service, port: 8001 });
  await acl.agent.register({ name: service, port: 8002 });
}

afterEach(async () => {
  await Promise.all(observed.map((one) => one.close()));
  const said = observed
    .splice(0)
    .map((one) => one.said())
    .join('\n');
  for (const secret of [...acl.secrets(), ...madeUp]) expect(said).not.toContain(secret);
});

function clientOf(token: TokenSource | undefined, options: ConsulOptions = {}): ObservedClient {
  const discovery = consul({ url: acl.agent.url, token, ...options });
  const one = observe({ service, discovery, readyTimeoutMs: 500 });
  observed.push(one);
  return one;
}

const found = (one: ObservedClient, ...ports: readonly number[]): Promise<void> =>
  one.until(`found: ${ports.join(', ')}`, () => one.ports().join() === ports.join());

/** A way for the token to be given, and to be exchanged. */
interface Source {
  readonly kind: string;
  readonly give: (token: Token) => TokenSource;
  readonly exchange: (token: Token) => void;
}

let current: string;
const SOURCES: readonly Source[] = [
  {
    kind: 'a file',
    give: (token) => {
      writeFileSync(tokenFile, `${token.SecretID}\n`);
      return { file: tokenFile };
    },
    exchange: (token) => writeFileSync(tokenFile, `${token.SecretID}\n`),
  },
  {
    kind: 'a function',
    give: (token) => {
      current = token.SecretID;
      return async () => current;
    },
    exchange: (token) => {
      current = token.SecretID;
    },
  },
];

describe('a token', () => {
  it.each<[string, (token: Token) => TokenSource]>([
    ['a string', (token) => token.SecretID],
    ['a function', (token) => () => token.SecretID],
    ['a function that takes its time', (token) => () => sleep(20, token.SecretID)],
    [
      'a file',
      (token) => {
        writeFileSync(tokenFile, `${token.SecretID}\n`);
        return { file: tokenFile };
      },
    ],
  ])('may be %s', async (_, give) => {
    await registerTwo();
    const one = clientOf(give(await acl.grant(MAY_READ)));
    await found(one, 8001, 8002);
    expect(one.status()).toMatchObject({ state: 'current', cause: undefined });
    expect(one.faults).toEqual([]);
  });

  it('may be that of an injected client', async () => {
    await registerTwo();
    const { SecretID: token } = await acl.grant(MAY_READ);
    const { hostname: host, port } = new URL(acl.agent.url);
    const client = new Consul({ host, port: Number(port), defaults: { token } });
    const one = clientOf(undefined, { url: undefined, client });
    await found(one, 8001, 8002);
    expect(one.faults).toEqual([]);
    // One of its own comes before it.
    const wrong = randomUUID();
    madeUp.push(wrong);
    const other = clientOf(wrong, { url: undefined, client });
    await other.until('it is refused', () => other.status().state === 'refused');
  });

  it.each(SOURCES)('from $kind is exchanged while the old one is deleted', async (source) => {
    await registerTwo();
    const [old, next] = [await acl.grant(MAY_READ), await acl.grant(MAY_READ)];
    const one = clientOf(source.give(old));
    await found(one, 8001, 8002);
    source.exchange(next);
    await acl.remove(old);
    const startMs = performance.now();
    // The agent looks at the token again when the query that is parked with it comes back.
    await acl.agent.register({ name: service, port: 8003 });
    await found(one, 8001, 8002, 8003);
    console.log(`${source.kind}: ${(performance.now() - startMs).toFixed(0)} ms to the new list`);
    expect(one.fewest).toBe(2);
    expect(one.status().state).toBe('current');
    expect(one.faults.length).toBeLessThanOrEqual(1);
  });

  it('that is wrong is refused, and told at most once a minute', async () => {
    await registerTwo();
    const wrong = randomUUID();
    madeUp.push(wrong);
    await using proxy = await httpProxy({ target: acl.agent.url });
    const one = clientOf(wrong, { url: proxy.url });
    await one.until('it is refused', () => one.status().state === 'refused');
    const { cause } = one.status();
    expect(cause).toMatch(/403.*ACL not found.*option "token"/);
    expect(one.events.filter((name) => name === 'discovery.refused')).toHaveLength(1);
    // Callers in need ask for fresh data, and make neither a hot loop nor a flood of words.
    const endMs = performance.now() + 3_000;
    while (performance.now() < endMs) {
      await one.client.call(() => undefined, { timeoutMs: 50 }).catch(() => undefined);
      await sleep(20);
    }
    const reads = readsOf(proxy);
    console.log(`wrong token: ${reads} reads in 3 s, ${one.faults.length} faults`);
    expect(one.faults).toHaveLength(1);
    expect(one.faults[0]).toMatchObject({ effect: 'refused' });
    expect(reads).toBeLessThanOrEqual(8);
  });

  it('that is deleted leaves the list as it was', async () => {
    await registerTwo();
    const token = await acl.grant(MAY_READ);
    const one = clientOf(token.SecretID);
    await found(one, 8001, 8002);
    await acl.remove(token);
    await acl.agent.register({ name: service, port: 8003 });
    await one.until('it is refused', () => one.status().state === 'refused');
    expect(one.status()).toMatchObject({
      size: 2,
      cause: expect.stringContaining('ACL not found'),
    });
    expect(one.ports()).toEqual([8001, 8002]);
    expect(one.client.pick().instance.port).toBeGreaterThan(8000);
  });

  it('that a reply quotes is not passed on', async () => {
    await registerTwo();
    const { SecretID: token } = await acl.grant(MAY_READ);
    await using proxy = await httpProxy({ target: acl.agent.url });
    proxy.set({ status: 500, body: `no answer for ${token}` });
    const one = clientOf(() => token, { url: proxy.url });
    await one.until('a fault is told', () => one.faults.length > 0);
    expect(one.status().cause).toContain('no answer for ***');
    proxy.set({ status: 200, headers: { 'content-type': `text/${token}` } });
    await one.until('another is told', () => (one.status().cause ?? '').includes('is no JSON'));
    proxy.set();
    await found(one, 8001, 8002);
  });

  it('of a file that is not there, or of a function that throws, is told without the token', async () => {
    await registerTwo();
    const secret = randomUUID();
    madeUp.push(secret);
    const missing = clientOf({ file: path.join(folder, 'none') });
    const throwing = clientOf(() => {
      throw new Error(`the vault said no to ${secret}`);
    });
    const empty = clientOf(() => ' ');
    for (const [one, words] of [
      [missing, 'the token file failed: ENOENT'],
      [throwing, 'the token function failed'],
      [empty, 'the token function gave no token'],
    ] as const) {
      await one.until('a fault is told', () => one.faults.length > 0);
      expect(one.status().cause).toContain(words);
      expect(one.status().state).toMatch(/stale|refused/);
    }
  });
});

describe('rights', () => {
  it('that are missing from the start are told, to callers too', async () => {
    await registerTwo();
    const token = await acl.grant('');
    const one = clientOf(token.SecretID);
    const why = `the token may not read service "${service}"`;
    await one.until('a fault is told', () => one.faults.length > 0);
    expect(one.faults[0]?.message).toContain(why);
    expect(one.status().lastFault).toContain(why);
    const call = one.client.call(() => undefined, { timeoutMs: 500 });
    await expect(call).rejects.toMatchObject({ message: expect.stringContaining(why) });
    await acl.change(token, MAY_READ);
    await acl.agent.register({ name: service, port: 8003 });
    await found(one, 8001, 8002, 8003);
    expect(one.status().state).toBe('current');
  });

  it.each([
    ['of the service', 'node_prefix "" { policy = "read" }', 'service'],
    ['of the node', 'service_prefix "" { policy = "read" }', 'node "fairlead-test"'],
    ['of both', '', 'service'],
  ])('%s that are taken away cost no instance', async (_, rules, named) => {
    await registerTwo();
    const token = await acl.grant(MAY_READ);
    const one = clientOf(token.SecretID);
    await found(one, 8001, 8002);
    await acl.change(token, rules);
    await acl.agent.register({ name: service, port: 8003 }); // wakes the parked query
    const why = (): string => keptFor(one);
    await one.until('the list is kept', () => why() !== '');
    console.log(`rights: ${why()}`);
    expect(why()).toContain(`the token may not read ${named}`);
    expect(one.status().size).toBe(2);
    expect(one.ports()).toEqual([8001, 8002]);
    await acl.change(token, MAY_READ);
    await acl.agent.deregister(`${service}-8001`);
    await found(one, 8002, 8003);
    expect(one.status()).toMatchObject({ state: 'current', holding: false });
    expect(one.fewest).toBe(2);
  });

  it('of some nodes only: what the token may read is followed, the rest is kept', async () => {
    await registerTwo();
    await registerFar(8101);
    const token = await acl.grant(MAY_READ);
    const one = clientOf(token.SecretID);
    await found(one, 8001, 8002, 8101);
    const nearOnly =
      'service_prefix "" { policy = "read" } node "fairlead-test" { policy = "read" }';
    await acl.change(token, nearOnly);
    await acl.agent.register({ name: service, port: 8003 });
    await found(one, 8001, 8002, 8003, 8101);
    expect(one.status()).toMatchObject({
      state: 'stale',
      holding: false,
      cause:
        'the token may not read node "far": the instances there are as they were last seen (1)',
    });
    // What goes from the nodes that it may read is gone.
    await acl.agent.deregister(`${service}-8001`);
    await found(one, 8002, 8003, 8101);
    await acl.change(token, MAY_READ);
    await one.until('it is current', () => one.status().state === 'current');
    await found(one, 8002, 8003, 8101);
  });

  it('that are all there: a service that goes is believed to go', async () => {
    await registerTwo();
    const one = observe({
      service,
      discovery: consul({ url: acl.agent.url, token: (await acl.grant(MAY_READ)).SecretID }),
      shrinkGraceMs: 0,
    });
    observed.push(one);
    await found(one, 8001, 8002);
    await acl.agent.deregister(`${service}-8001`);
    await acl.agent.deregister(`${service}-8002`);
    await found(one);
    expect(one.status()).toMatchObject({ state: 'current', holding: false, size: 0 });
  });
});

describe('rights to a prepared query', () => {
  async function prepare(): Promise<string> {
    const response = await fetch(`${acl.agent.url}/v1/query`, {
      method: 'POST',
      headers: { 'x-consul-token': acl.management },
      body: JSON.stringify({ Name: `q-${service}`, Service: { Service: service } }),
    });
    expect(response.ok).toBe(true);
    return `q-${service}`;
  }
  const observeQuery = (query: string, token: Token): ObservedClient => {
    const discovery = consul({
      url: acl.agent.url,
      token: token.SecretID,
      preparedQuery: true,
      pollMs: 1_000,
    });
    const one = observe({ service: query, discovery, shrinkGraceMs: 0 });
    observed.push(one);
    return one;
  };

  it('that suffice: what it leaves out is believed to be dead', async () => {
    await registerTwo();
    // It may read the service, and none that is called as the query is.
    const token = await acl.grant(
      `service "${service}" { policy = "read" } node_prefix "" { policy = "read" }`,
    );
    const one = observeQuery(await prepare(), token);
    await found(one, 8001, 8002);
    await acl.agent.failCheck(`${service}-8001`);
    await found(one, 8002);
    await acl.agent.failCheck(`${service}-8002`);
    await found(one);
    expect(one.status()).toMatchObject({ state: 'current', holding: false });
    expect(one.faults).toEqual([]);
  });

  it.each([
    ['of the service', 'node_prefix "" { policy = "read" }'],
    ['of the node', 'service_prefix "" { policy = "read" }'],
  ])('%s that are taken away cost no instance', async (_, rules) => {
    await registerTwo();
    const token = await acl.grant(MAY_READ);
    const one = observeQuery(await prepare(), token);
    await found(one, 8001, 8002);
    await acl.change(token, rules);
    await one.until('the list is kept', () => keptFor(one) !== '');
    console.log(`rights to a query: ${keptFor(one)}`);
    expect(one.ports()).toEqual([8001, 8002]);
    await acl.change(token, MAY_READ);
    await one.until('it is not', () => keptFor(one) === '');
    expect(one.fewest).toBe(2);
  });
});

describe('agentZone', () => {
  it('needs the right to ask', async () => {
    await registerTwo();
    const { signal } = new AbortController();
    const { url } = acl.agent;
    const [may, mayNot] = [
      await acl.grant('agent_prefix "" { policy = "read" }'),
      await acl.grant(MAY_READ),
    ];
    expect(await agentZone({ url, token: may.SecretID })(signal)).toBeUndefined();
    writeFileSync(tokenFile, may.SecretID);
    expect(await agentZone({ url, token: { file: tokenFile } })(signal)).toBeUndefined();
    const told = async (): Promise<unknown> =>
      agentZone({ url, token: () => mayNot.SecretID })(signal);
    await expect(told()).rejects.toMatchObject({
      message: expect.stringMatching(/403.*option "token"/),
    });
  });
});

/** Registers an instance on another node, past the agent. */
async function registerFar(port: number): Promise<void> {
  const { ok } = await fetch(`${acl.agent.url}/v1/catalog/register`, {
    method: 'PUT',
    headers: { 'x-consul-token': acl.management },
    body: JSON.stringify({
      Node: 'far',
      Address: '127.0.0.1',
      Service: { ID: `${service}-${port}`, Service: service, Port: port },
    }),
  });
  expect(ok).toBe(true);
}

/** Why instances are kept that the source does not list; empty when none are. */
function keptFor(one: ObservedClient): string {
  const { heldFor, cause, state } = one.status();
  return heldFor ?? (state === 'stale' ? (cause ?? '') : '');
}

const readsOf = ({ requests }: HttpProxy): number =>
  requests.filter(({ path: asked }) => asked.startsWith('/v1/health/')).length;
