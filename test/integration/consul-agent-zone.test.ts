import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { agentZone, consul } from '../../adapters/consul.js';
import { type ConsulAgent, startConsulAgent } from '../../scripts/consul-agent.js';
import { findConsul } from '../../scripts/ensure-consul.mjs';
import { type Client, createClient } from '../../src/index.js';

let agent: ConsulAgent;
let folder: string;
const clients: Client[] = [];

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'fairlead-zone-'));
  // The agent of the tests, in a zone.
  const bin = path.join(folder, 'consul');
  const zoned = `[ "$1" = agent ] && set -- "$@" -node-meta=zone:eu-west-1a -node-meta=rack:7`;
  const script = ['#!/bin/sh', zoned, `exec '${await findConsul({ fetch: true })}' "$@"`, ''];
  writeFileSync(bin, script.join('\n'), { mode: 0o755 });
  agent = await startConsulAgent({ bin });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

afterAll(async () => {
  await agent.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Registers an instance on a node of another zone, past the agent. */
async function registerFar(service: string, port: number): Promise<void> {
  const { ok } = await fetch(`${agent.url}/v1/catalog/register`, {
    method: 'PUT',
    body: JSON.stringify({
      Node: 'far',
      Address: '127.0.0.1',
      NodeMeta: { zone: 'eu-west-1b' },
      Service: { ID: `${service}-${port}`, Service: service, Port: port },
    }),
  });
  expect(ok).toBe(true);
}

function clientOf(service: string): Client {
  const client = createClient({
    service,
    discovery: consul({ url: agent.url }),
    stages: { zone: { local: agentZone({ url: agent.url }), minInstances: 2 } },
  });
  clients.push(client);
  return client;
}

async function zoneOf(client: Client): Promise<string> {
  for (let waited = 0; waited < 20_000; waited += 10) {
    const { zone } = client.snapshot();
    if (zone !== undefined) return zone;
    await sleep(10);
  }
  throw new Error('no zone was found within 20 s');
}

describe('a real agent', () => {
  const { signal } = new AbortController();

  it("tells the zone of its node's metadata", async () => {
    expect(await agentZone({ url: agent.url })(signal)).toBe('eu-west-1a');
    expect(await agentZone({ url: agent.url, zoneMeta: 'rack' })(signal)).toBe('7');
  });

  it('tells it to a client of the user, too', async () => {
    const { default: Consul } = await import('consul');
    const own = new Consul({ host: '127.0.0.1', port: Number(new URL(agent.url).port) });
    expect(await agentZone({ client: own, zoneMeta: 'rack' })(signal)).toBe('7');
  });

  it('may know none', async () => {
    expect(await agentZone({ url: agent.url, zoneMeta: 'shelf' })(signal)).toBeUndefined();
  });

  it('places its callers and its instances alike', async () => {
    await agent.register({ name: 'placed', port: 8001 });
    await registerFar('placed', 8002);
    const client = clientOf('placed');
    await client.ready();
    expect(await zoneOf(client)).toBe('eu-west-1a');
    expect(client.explain().parts).toEqual([
      { name: 'zone eu-west-1a', ratio: 0.97, candidates: 1 },
      { name: 'zone eu-west-1b', ratio: expect.closeTo(0.03, 12) as number, candidates: 1 },
    ]);
  });

  it('places its callers and its instances by other metadata alike', async () => {
    await agent.register({ name: 'racked', port: 8003 });
    const client = createClient({
      service: 'racked',
      discovery: consul({ url: agent.url, zoneMeta: 'rack' }),
      stages: { zone: { local: agentZone({ url: agent.url, zoneMeta: 'rack' }) } },
    });
    clients.push(client);
    await client.ready();
    expect(await zoneOf(client)).toBe('7');
    expect(client.snapshot().instances).toMatchObject([{ zone: '7' }]);
  });

  it('that is away is asked until it is back', async () => {
    await agent.kill();
    const client = clientOf('away');
    const faults: string[] = [];
    await new Promise<void>((resolve) => {
      client.on('discovery.fault', ({ adapter, message }) => {
        if (adapter !== 'zone') return;
        faults.push(message);
        resolve();
      });
    });
    expect(faults[0]).toContain(`Consul at ${agent.url} did not tell its zone: `);
    expect(faults[0]).toContain('ECONNREFUSED');
    await agent.restart();
    expect(await zoneOf(client)).toBe('eu-west-1a');
  });
});
