/** Options of consul() that say which address, port, zone and list are meant. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { consul, type ConsulOptions } from '../../adapters/consul.js';
import { askForJson } from '../../scripts/consul/cluster-request.js';
import { type ConsulAgent, startConsulAgent } from '../../scripts/consul-agent.js';
import { consulVersion, findConsul } from '../../scripts/ensure-consul.mjs';
import type { ClientOptions } from '../../src/index.js';
import { httpProxy } from '../../src/testing.js';
import { observe, type ObservedClient } from './observed-client.js';

let agent: ConsulAgent;
let version: string;
let service: string;
let tests = 0;
const observed: ObservedClient[] = [];

beforeAll(async () => {
  version = await consulVersion(await findConsul({ fetch: true }));
  agent = await startConsulAgent({ config: { node_meta: { zone: 'eu-1a', rack: '7' } } });
});

afterEach(async () => {
  await Promise.all(observed.splice(0).map((one) => one.close()));
});

afterAll(async () => {
  await agent.stop();
});

/** Each test has a service of its own. */
function clientOf(options: ConsulOptions, more: Partial<ClientOptions> = {}): ObservedClient {
  const discovery = consul({ url: agent.url, ...options });
  const one = observe({ service, discovery, ...more });
  observed.push(one);
  return one;
}

function name(): string {
  service = `orders-${++tests}`;
  return service;
}

/** As Consul takes it, with what `agent.register` does not know. */
async function register(definition: Readonly<Record<string, unknown>>): Promise<void> {
  const body = { Name: service, ...definition };
  await askForJson(agent.url, '/v1/agent/service/register', { method: 'PUT', body });
}

const urls = (one: ObservedClient): string[] =>
  one.client
    .snapshot()
    .instances.filter(({ membership }) => membership === 'listed')
    .map(({ url }) => url)
    .sort();

const found = (one: ObservedClient, ...expected: readonly string[]): Promise<void> =>
  one.until(`found: ${expected.join(', ')}`, () => urls(one).join() === expected.join());

describe('taggedAddress', () => {
  const three = async (): Promise<void> => {
    name();
    await register({
      ID: `${service}-all`,
      Address: '10.0.0.1',
      Port: 8001,
      TaggedAddresses: {
        lan: { Address: '10.1.0.1', Port: 8101 },
        wan: { Address: '192.0.2.1', Port: 8201 },
        lan_ipv6: { Address: '2001:db8::1', Port: 8301 },
        wan_ipv6: { Address: '[2001:db8::2]' },
        dmz: { Address: 'dmz.example' },
      },
    });
    await register({ ID: `${service}-own`, Address: '10.0.0.2', Port: 8002 });
    await register({ ID: `${service}-none`, Port: 8003 });
  };

  it.each<[string | undefined, string]>([
    [undefined, 'http://10.0.0.1:8001'],
    ['lan', 'http://10.1.0.1:8101'],
    ['wan', 'http://192.0.2.1:8201'],
    ['lan_ipv6', 'http://[2001:db8::1]:8301'],
    ['wan_ipv6', 'http://[2001:db8::2]:8001'],
    ['dmz', 'http://dmz.example:8001'],
    ['no-such', 'http://10.0.0.1:8001'],
  ])('%s: that of the service, else its own, else the node', async (taggedAddress, url) => {
    await three();
    const one = clientOf({ taggedAddress });
    await found(one, ...[url, 'http://10.0.0.2:8002', 'http://127.0.0.1:8003'].sort());
    expect(one.faults).toEqual([]);
  });

  it('is followed as it changes', async () => {
    name();
    const one = clientOf({ taggedAddress: 'wan' });
    const definition = { ID: service, Address: '10.0.0.1', Port: 8001 };
    await register(definition);
    await found(one, 'http://10.0.0.1:8001');
    await register({ ...definition, TaggedAddresses: { wan: { Address: '192.0.2.1', Port: 1 } } });
    await found(one, 'http://192.0.2.1:1');
  });
});

describe('zoneMeta', () => {
  it.each([
    [{}, 'eu-1a'],
    [{ zoneMeta: 'rack' }, '7'],
    [{ zoneMeta: 'shelf' }, undefined],
  ])('%o', async (options, zone) => {
    await agent.register({ name: name(), port: 8001 });
    const one = clientOf(options);
    await found(one, 'http://127.0.0.1:8001');
    expect(one.client.snapshot().instances[0]?.zone).toBe(zone);
  });
});

describe('port', () => {
  it('is that which the metadata name; who has none is left out, and told', async () => {
    name();
    await agent.register({ name: service, port: 8001, meta: { port_admin: '9001' } });
    await agent.register({ name: service, port: 8002, meta: { port_admin: '9002' } });
    await agent.register({ name: service, port: 8003 });
    await agent.register({ name: service, port: 8004, meta: { port_admin: 'many' } });
    const one = clientOf({ port: 'admin' });
    await found(one, 'http://127.0.0.1:9001', 'http://127.0.0.1:9002');
    await one.until('both are told', () => one.faults.length === 2);
    const told = one.faults.map(({ message }) => message).join('\n');
    expect(told).toMatch(/-8003.*port named "admin".*"port_admin"/);
    expect(told).toMatch(/-8004.*port_admin.*"many"/);
    expect(one.status()).toMatchObject({ state: 'current', size: 2 });
    await agent.register({ name: service, port: 8003, meta: { port_admin: '9003' } });
    await found(one, ...[9001, 9002, 9003].map((port) => `http://127.0.0.1:${port}`));
  });
});

describe('near', () => {
  it('is understood by the agent', async () => {
    await agent.register({ name: name(), port: 8001 });
    await using proxy = await httpProxy({ target: agent.url });
    const one = clientOf({ url: proxy.url, near: '_agent' });
    await found(one, 'http://127.0.0.1:8001');
    expect(proxy.requests[0]?.path).toContain('near=_agent');
    expect(one.faults).toEqual([]);
  });
});

describe('preparedQuery', () => {
  async function prepare(query: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const response = await fetch(`${agent.url}/v1/query`, {
      method: 'POST',
      body: JSON.stringify({ Name: `q-${service}`, Service: { Service: service, ...query } }),
    });
    const { ID } = (await response.json()) as { ID: string };
    return ID;
  }
  const clientOfQuery = (query: string, options: ConsulOptions = {}): ObservedClient =>
    clientOf(
      { preparedQuery: true, pollMs: 1_000, ...options },
      { service: query, shrinkGraceMs: 0 },
    );

  it.each([
    ['name', (): string => `q-${service}`],
    ['id', (id: string): string => id],
  ])('is read by %s, and again', async (_, called) => {
    const id = await agent.register({ name: name(), port: 8001 });
    const one = clientOfQuery(called(await prepare()));
    await found(one, 'http://127.0.0.1:8001');
    await agent.register({ name: service, port: 8002 });
    await found(one, 'http://127.0.0.1:8001', 'http://127.0.0.1:8002');
    await agent.failCheck(id);
    await found(one, 'http://127.0.0.1:8002');
    expect(one.status().state).toBe('current');
    expect(one.faults).toEqual([]);
  });

  it('polls no faster than it is told', async () => {
    await agent.register({ name: name(), port: 8001 });
    await prepare();
    await using proxy = await httpProxy({ target: agent.url });
    const one = clientOfQuery(`q-${service}`, { url: proxy.url, near: '_agent' });
    const reads = (): number[] =>
      proxy.requests.filter(({ path }) => path.startsWith('/v1/query/')).map(({ atMs }) => atMs);
    await one.until('four reads are made', () => reads().length >= 4);
    const [first = 0, , , fourth = 0] = reads();
    console.log(`pollMs 1,000: three pauses in ${(fourth - first).toFixed(0)} ms`);
    expect(fourth - first).toBeGreaterThan(1_400); // each at least half of it
    const [{ path } = { path: '' }] = proxy.requests;
    expect(path).toBe(`/v1/query/q-${service}/execute?near=_agent`);
  });

  it('with OnlyPassing leaves out what warns; without it that weighs less', async () => {
    const weights = { passing: 10, warning: 1 };
    const id = await agent.register({ name: name(), port: 8001, weights });
    await agent.register({ name: service, port: 8002, weights });
    await agent.warnCheck(id);
    const only = clientOfQuery(await prepare({ OnlyPassing: true }));
    await found(only, 'http://127.0.0.1:8002');
    name();
    const again = await agent.register({ name: service, port: 8001, weights });
    await agent.warnCheck(again);
    const all = clientOfQuery(await prepare());
    await found(all, 'http://127.0.0.1:8001');
    expect(all.client.snapshot().instances[0]?.weight).toBe(1);
  });

  it('whose instances are all dead is an empty list, not an unknown service', async () => {
    const id = await agent.register({ name: name(), port: 8001 });
    const one = clientOfQuery(await prepare());
    await found(one, 'http://127.0.0.1:8001');
    await agent.failCheck(id);
    await found(one);
    const call = one.client.call(() => undefined, { timeoutMs: 500 });
    await expect(call).rejects.toMatchObject({ code: 'ERR_FAIRLEAD_NO_INSTANCES' });
    expect(one.status()).toMatchObject({ state: 'current', size: 0 });
    await agent.passCheck(id);
    await found(one, 'http://127.0.0.1:8001');
  });

  it('that is not there is refused, in clear words', async () => {
    await agent.register({ name: name(), port: 8001 });
    const one = clientOfQuery(`q-${service}`);
    await one.until('it is refused', () => one.status().state === 'refused');
    expect(one.status().cause).toMatch(/404, Query not found; there is no such prepared query/);
    expect(one.faults).toHaveLength(1);
  });

  it('takes address and port as other lists do', async () => {
    name();
    await register({
      ID: service,
      Port: 8001,
      Meta: { port_admin: '9001' },
      TaggedAddresses: { wan: { Address: '192.0.2.1' } },
    });
    await prepare();
    const one = clientOfQuery(`q-${service}`, { taggedAddress: 'wan', port: 'admin' });
    await found(one, 'http://192.0.2.1:9001');
    expect(one.client.snapshot().instances[0]?.zone).toBe('eu-1a');
  });
});

describe('what an agent is too old for, or of the wrong edition', () => {
  it.each<[ConsulOptions, RegExp]>([
    [{ namespace: 'team' }, /"namespace".*Enterprise/],
    [{ partition: 'west' }, /"partition".*Enterprise/],
    [{ peer: 'east' }, /"peer".*1\.14/],
  ])('is refused: %o', async (options, words) => {
    if (!version.startsWith('1.8.')) return; // a later agent may know it
    await agent.register({ name: name(), port: 8001 });
    const one = clientOf(options);
    await one.until('it is refused', () => one.status().state === 'refused');
    const { cause = '' } = one.status();
    console.log(cause);
    expect(cause).toMatch(words);
    expect(cause).toContain(version);
    expect(one.ports()).toEqual([]);
  });
});
