/** Faults of a cluster of three servers and a client agent. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterMember, ConsulCluster } from '../consul-cluster.js';
import { askForJson } from '../consul/cluster-request.js';
import { exchangeOne, idOf, instancesAt, portOf, registerAll } from './instances.js';
import { AFTER, BEFORE, type Scene, type Stage } from './scene.js';

export const CLUSTER_SCENES: readonly Scene[] = [
  {
    fault: "provider's agent SIGTERMed and started again (it leaves, and its services with it)",
    cause: /held: the list shrank/,
    pace: 'budget',
    lastsMs: 0,
    open: {
      cluster: async (cluster, service) => {
        const { client } = cluster;
        await registerAll(client, service, BEFORE);
        return {
          ...stageAt(serverOf(cluster), service),
          async strike() {
            await client.kill('SIGTERM');
            await vanished(serverOf(cluster).url, service, client.name);
          },
          async cure() {
            await client.restart();
            await exchangeOne(client, service);
          },
        };
      },
    },
  },
  {
    fault: 'leader SIGKILLed, read through a client agent',
    cause: /No cluster leader|rpc error|stale|cached|status 500/,
    pace: 'leaderless',
    lastsMs: 5_000,
    open: {
      cluster: async (cluster, service) => {
        const { client } = cluster;
        await registerAll(client, service, BEFORE);
        let killed: ClusterMember | undefined;
        return {
          ...stageAt(client, service),
          async strike() {
            killed = await cluster.leader();
            await killed.kill('SIGKILL');
          },
          change: () => exchangeOne(client, service),
          cure: async () => {
            await cluster.leader();
          },
          async close() {
            await killed?.restart();
            await cluster.settled();
          },
        };
      },
    },
  },
  {
    fault: 'all servers SIGKILLed, read through a client agent, started again',
    cause: /No known Consul servers|rpc error|cached|status 500/,
    pace: 'leaderless',
    lastsMs: 15_000,
    open: {
      cluster: async (cluster, service) => {
        const { client, servers } = cluster;
        await registerAll(client, service, BEFORE);
        return {
          ...stageAt(client, service),
          async strike() {
            await Promise.all(servers.map((server) => server.kill('SIGKILL')));
          },
          change: () => exchangeOne(client, service),
          async cure() {
            await Promise.all(servers.map((server) => server.restart()));
            await cluster.settled();
          },
          close: () => cluster.settled(),
        };
      },
    },
  },
  {
    fault: 'snapshot restored: an older list, under an older index',
    cause: /last fault: .* its data restored/,
    pace: 'budget',
    lastsMs: 0,
    open: {
      cluster: async (cluster, service) => {
        // On a node without an agent: an agent would put back what it knows of its own.
        const { url } = serverOf(cluster);
        const catalog = async (verb: string, body: object): Promise<void> => {
          await askForJson(url, `/v1/catalog/${verb}`, { method: 'PUT', body });
        };
        const add = (letter: string): Promise<void> =>
          catalog('register', {
            Node: `${service}-node`,
            Address: '127.0.0.1',
            Service: { ID: idOf(service, letter), Service: service, Port: portOf(letter) },
          });
        for (const letter of AFTER) await add(letter);
        const saved = await cluster.saveSnapshot();
        await add('c');
        await catalog('deregister', { Node: `${service}-node`, ServiceID: idOf(service, 'd') });
        return {
          ...stageAt(serverOf(cluster), service),
          strike: () => cluster.restoreSnapshot(saved),
          cure: () => undefined,
        };
      },
    },
  },
];

function stageAt(
  member: ClusterMember,
  service: string,
): Pick<Stage, 'service' | 'url' | 'fairlead' | 'npm' | 'close'> {
  return {
    service,
    url: member.url,
    fairlead: {},
    npm: {},
    close: () => Promise.resolve(),
  };
}

/**
 * Waits until the agent's services are gone with it. An agent that happens to sync while it leaves puts them back, and it
 * is a minute until the leader notices: then this does what the leader does.
 */
async function vanished(url: string, service: string, node: string): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 20) {
    if ((await instancesAt(url, service, undefined))?.length === 0) return;
    if (waited === 1_000) {
      const body = { Node: node };
      await askForJson(url, '/v1/catalog/deregister', { method: 'PUT', body });
    }
    await sleep(20);
  }
  throw new Error(`${service} did not vanish within 10 s of its agent's end`);
}

function serverOf({ servers }: ConsulCluster): ClusterMember {
  const [first] = servers;
  if (first === undefined) throw new Error('the cluster has no server');
  return first;
}
