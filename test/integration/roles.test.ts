import { describe, expect, it } from 'vitest';
import type { CheckFunction, Client, ClientView, HealthCheckOptions } from '../../src/index.js';
import { clientOver, serve, type TestServer } from './servers.js';

const FAST = { intervalMs: 20, timeoutMs: 1_000 };

interface Node extends TestServer {
  role: string;
  readonly id: string;
}

/** Nodes that answer like Patroni's REST API: `/primary` is good on the leader alone, `/replica` on the others. */
async function patroni(...roles: string[]): Promise<Node[]> {
  return Promise.all(
    roles.map(async (role) => {
      const server = await serve((request, response) => {
        const path = { leader: '/primary', replica: '/replica' }[node.role];
        response.writeHead(request.url === path ? 200 : 503).end();
      });
      const node: Node = Object.assign(server, { role, id: `127.0.0.1:${server.port}` });
      return node;
    }),
  );
}

const PATRONI: HealthCheckOptions = {
  http: { roles: { primary: '/primary', standby: '/replica' } },
  ...FAST,
};

/** NameNodes that tell their state as Hadoop's JMX servlet does. */
async function nameNodes(...states: string[]): Promise<Node[]> {
  return Promise.all(
    states.map(async (role) => {
      const server = await serve((_request, response) => {
        response.end(JSON.stringify({ beans: [{ State: node.role, NNRole: 'NameNode' }] }));
      });
      const node: Node = Object.assign(server, { role, id: `127.0.0.1:${server.port}` });
      return node;
    }),
  );
}

const STATUS = '/jmx?qry=Hadoop:service=NameNode,name=NameNodeStatus';

const nameNodeState: CheckFunction = async ({ instance, signal }) => {
  const reply = await fetch(`${instance.url}${STATUS}`, { signal });
  const { beans } = (await reply.json()) as { beans: { State: string }[] };
  return { healthy: true, role: beans[0]?.State };
};

function rolesOf(client: Client): (string | undefined)[] {
  return client.snapshot().instances.map(({ role }) => role);
}

async function targets(view: ClientView, calls = 10): Promise<string[]> {
  const ids = new Set<string>();
  for (let i = 0; i < calls; i++) {
    await view.call(async ({ instance }) => {
      ids.add(instance.id);
    });
  }
  return [...ids].sort();
}

const idOf = (node: Node | undefined): string => node?.id ?? 'none';

describe('a cluster of Patroni', () => {
  it('gets writes on its leader and reads on its replicas', async () => {
    const nodes = await patroni('leader', 'replica', 'replica');
    const client = clientOver(nodes, { healthCheck: PATRONI });
    const primary = client.where({ role: 'primary' });
    await primary.ready();
    await expect.poll(() => rolesOf(client)).toEqual(['primary', 'standby', 'standby']);
    expect(await targets(primary)).toEqual([idOf(nodes[0])]);
    expect(await targets(client.where({ role: 'standby' }))).toEqual(
      nodes.slice(1).map(idOf).sort(),
    );
    // The leader is asked for the first role only, a replica for both.
    expect(nodes[0]?.seen).not.toContain('GET /replica');
    expect(nodes[1]?.seen.slice(0, 2)).toEqual(['GET /primary', 'GET /replica']);
  });

  it('is followed when another node is promoted, and says so', async () => {
    const nodes = await patroni('leader', 'replica', 'replica');
    const client = clientOver(nodes, { healthCheck: PATRONI });
    const primary = client.where({ role: 'primary' });
    await primary.ready();
    await expect.poll(() => rolesOf(client)).toEqual(['primary', 'standby', 'standby']);
    const told: string[] = [];
    client.on('health.changed', ({ instanceId, health, role }) => {
      told.push(`${instanceId} ${health} ${role ?? '-'}`);
    });

    const [old, next] = nodes;
    if (old === undefined || next === undefined) throw new Error('no nodes');
    old.role = 'replica';
    await expect.poll(() => rolesOf(client)).toEqual(['standby', 'standby', 'standby']);
    await expect(primary.call(async () => 'written')).rejects.toMatchObject({
      code: 'ERR_FAIRLEAD_NO_MATCH',
      message: expect.stringContaining('role "primary"'),
    });
    expect(() => primary.pick()).toThrow('role "primary"');

    const ready = primary.ready();
    next.role = 'leader';
    await ready;
    expect(await targets(primary)).toEqual([next.id]);
    expect(told).toEqual([`${old.id} healthy standby`, `${next.id} healthy primary`]);
  });

  it('has no primary any more when its leader is gone, and reads go on', async () => {
    const nodes = await patroni('leader', 'replica', 'replica');
    const client = clientOver(nodes, { healthCheck: { ...PATRONI, unhealthyThreshold: 2 } });
    await client.where({ role: 'primary' }).ready();
    await nodes[0]?.close();
    await expect
      .poll(() => client.snapshot().instances[0])
      .toMatchObject({
        health: 'unhealthy',
        role: undefined,
      });
    const signal = AbortSignal.timeout(50);
    const ready = client.where({ role: 'primary' }).ready({ signal });
    await expect(ready).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(await targets(client.where({ role: 'standby' }))).toHaveLength(2);
  });

  it('is read from the leader too when no replica is left', async () => {
    const nodes = await patroni('leader', 'replica');
    const client = clientOver(nodes, { healthCheck: { ...PATRONI, unhealthyThreshold: 1 } });
    const reads = client.where({ role: 'standby', fallback: 'any' });
    await expect.poll(() => rolesOf(client)).toEqual(['primary', 'standby']);
    expect(await targets(reads)).toEqual([idOf(nodes[1])]);
    await nodes[1]?.close();
    await expect.poll(() => rolesOf(client)).toEqual(['primary', undefined]);
    expect(await targets(reads)).toEqual([idOf(nodes[0])]);
  });
});

describe('a pair of NameNodes', () => {
  it('is called on the active one, through a failover', async () => {
    const nodes = await nameNodes('active', 'standby');
    const client = clientOver(nodes, { healthCheck: { check: nameNodeState, ...FAST } });
    const active = client.where({ role: 'active' });
    await active.ready();
    await expect.poll(() => rolesOf(client)).toEqual(['active', 'standby']);
    expect(await targets(active)).toEqual([idOf(nodes[0])]);

    const [first, second] = nodes;
    if (first === undefined || second === undefined) throw new Error('no nodes');
    await first.close();
    second.role = 'active';
    await expect.poll(() => rolesOf(client)).toEqual([undefined, 'active']);
    expect(await targets(active)).toEqual([second.id]);
    expect(client.snapshot().instances[0]).toMatchObject({ health: 'unhealthy' });
  });
});
