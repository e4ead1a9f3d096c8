import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Policy } from 'fairlead';
import { FairleadAgent } from 'fairlead/undici';
import { Client, Pool } from 'undici';
import { clientOver } from './fairlead.js';
import type { InstanceAddress, Prepared, Subject } from './subject.js';

/** So many of the instances are there, and are called. */
export const CALLED = 50;

/** Instances' origins for which a pool has made a connection. */
export const connected = new Set<string>();

/** Transport pools: one per instance, made at once, or when it is first called. */
export const pools: readonly Subject[] = [
  {
    name: 'undici Pools, made at once',
    prepare(input) {
      const all = input.map(({ host, port }) => new Pool(`http://${host}:${port}`));
      return {
        callEach: () => undefined,
        close: () => Promise.all(all.map((pool) => pool.close())),
      };
    },
  },
  { name: `FairleadAgent, ${CALLED} instances called`, prepare: lazily },
];

async function lazily(input: readonly InstanceAddress[]): Promise<Prepared> {
  const servers = await Promise.all(Array.from({ length: CALLED }, listening));
  const live = servers.map((server) => ({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
  }));
  const client = await clientOver([...live, ...input.slice(CALLED)], { policy: firstOnes() });
  const agent = new FairleadAgent(client, {
    pool: {
      factory(origin, options) {
        connected.add(String(origin));
        return new Client(origin, options);
      },
    },
  });
  return {
    async callEach() {
      for (let i = 0; i < CALLED; i++) {
        const { body } = await agent.request({ origin: 'http://bench', path: '/', method: 'GET' });
        await body.dump();
      }
    },
    async close() {
      await agent.close();
      await client.close();
      for (const server of servers) server.close();
    },
  };
}

/** Takes turns among those that are there. */
function firstOnes(): Policy {
  return {
    name: 'first ones',
    build(candidates) {
      let next = 0;
      return { pick: () => candidates[next++ % CALLED] };
    },
  };
}

async function listening(): Promise<Server> {
  const server = createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return server;
}
