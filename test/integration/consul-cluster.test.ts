import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConsulCluster, startConsulCluster } from '../../scripts/consul-cluster.js';
import { askForJson } from '../../scripts/consul/cluster-request.js';

let cluster: ConsulCluster;

beforeAll(async () => {
  const startMs = performance.now();
  cluster = await startConsulCluster();
  const tookMs = performance.now() - startMs;
  console.log(`3 servers and a client agent are ready after ${(tookMs / 1_000).toFixed(1)} s`);
});

afterAll(async () => {
  const pids = [...cluster.servers, cluster.client].map(({ pid }) => pid);
  await cluster.stop();
  expect(pids.filter((pid) => pid !== undefined && existsSync(`/proc/${pid}`))).toEqual([]);
});

async function portsOf(service: string, url: string): Promise<number[]> {
  const entries = await askForJson<readonly { readonly Service: { readonly Port: number } }[]>(
    url,
    `/v1/health/service/${service}?passing=1`,
  );
  return entries.map(({ Service }) => Service.Port).sort();
}

/** Every member gives these ports. */
async function seen(service: string, ...ports: readonly number[]): Promise<void> {
  const members = [...cluster.servers, cluster.client];
  await expect
    .poll(() => Promise.all(members.map(({ url }) => portsOf(service, url))), { timeout: 20_000 })
    .toEqual(members.map(() => ports));
}

describe('a cluster on loopback', () => {
  it('elects another leader when one is killed, and takes it back', async () => {
    await cluster.client.register({ name: 'kept', port: 8001 });
    await seen('kept', 8001);
    const first = await cluster.leader();
    const startMs = performance.now();
    await first.kill();
    const second = await cluster.leader();
    console.log(
      `a new leader ${((performance.now() - startMs) / 1_000).toFixed(1)} s after the kill`,
    );
    expect(second).not.toBe(first);
    await first.restart();
    await cluster.settled();
    await seen('kept', 8001);
  });

  it('keeps what it knows over the death of all servers, and the client agent its services', async () => {
    const id = await cluster.client.register({ name: 'lasting', port: 8002 });
    await cluster.client.passCheck(id);
    await Promise.all(cluster.servers.map((server) => server.kill()));
    await cluster.client.kill();
    await Promise.all([...cluster.servers, cluster.client].map((member) => member.restart()));
    await cluster.settled();
    await seen('lasting', 8002);
  });

  it('goes back to a saved state', async () => {
    const [{ url } = cluster.client] = cluster.servers;
    const put = async (verb: string, port: number): Promise<void> => {
      const Service = { ID: `saved-${port}`, Service: 'saved', Port: port };
      const body = { Node: 'elsewhere', Address: '127.0.0.1', Service };
      await askForJson(url, `/v1/catalog/${verb}`, { method: 'PUT', body });
    };
    await put('register', 8003);
    const saved = await cluster.saveSnapshot();
    await put('register', 8004);
    await seen('saved', 8003, 8004);
    await cluster.restoreSnapshot(saved);
    await seen('saved', 8003);
  });
});
