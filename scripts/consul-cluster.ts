/** Real Consul servers and a client agent on loopback, for tests of what becomes of a client when parts of a cluster fail. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeDeath } from './before-death.js';
import { type ClusterMember, createMember, type MemberPorts } from './consul/cluster-member.js';
import { askAgent, askForJson } from './consul/cluster-request.js';
import { freePort } from './consul/free-port.js';
import { consulVersion, findConsul } from './ensure-consul.mjs';

export type { ClusterMember } from './consul/cluster-member.js';

export interface ConsulCluster extends AsyncDisposable {
  readonly servers: readonly ClusterMember[];
  /** An agent that is no server, as applications have one beside them. */
  readonly client: ClusterMember;
  /** The server that leads; waits until the running servers agree on one. */
  leader(): Promise<ClusterMember>;
  /** Waits until every member that runs knows a leader and is in the catalogue, as are all running servers. */
  settled(): Promise<void>;
  /** All that the servers know, as of now. */
  saveSnapshot(): Promise<Buffer>;
  /** Puts the servers back to a saved state. */
  restoreSnapshot(archive: Buffer): Promise<void>;
  /** Kills all members, those that were stopped by a signal too, and removes their folder. */
  stop(): Promise<void>;
}

export interface ConsulClusterOptions {
  /** Path of the binary. Default: what `findConsul` finds or fetches. */
  readonly bin?: string;
  /** Default 3. */
  readonly servers?: number;
  /** Configuration of every member beside the usual, as an agent reads it from a file. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Sent with all requests: the management token where ACLs are on. */
  readonly token?: string;
}

const STARTS = 3;
const SETTLES_WITHIN_MS = 30_000;

/** Starts servers and a client agent, and waits until they have found each other. */
export async function startConsulCluster(
  options: ConsulClusterOptions = {},
): Promise<ConsulCluster> {
  const bin = options.bin ?? (await findConsul({ fetch: true }));
  const version = await consulVersion(bin);
  let failure: unknown;
  for (let attempt = 0; attempt < STARTS; attempt++) {
    const cluster = await layOut(bin, version, options);
    try {
      await Promise.all([...cluster.servers, cluster.client].map((member) => member.restart()));
      await cluster.settled();
      return cluster;
    } catch (error) {
      // Most likely another process took one of the ports between the look and the start.
      failure = error;
      await cluster.stop();
    }
  }
  throw failure;
}

async function layOut(
  bin: string,
  version: string,
  { servers: serverCount = 3, config = {}, token }: ConsulClusterOptions,
): Promise<ConsulCluster> {
  const folder = mkdtempSync(path.join(tmpdir(), 'fairlead-cluster-'));
  const ports = await freePorts(serverCount + 1);
  const serversPorts = ports.slice(0, serverCount);
  const members = ports.map((own, i) => {
    const isServer = i < serverCount;
    return createMember({
      bin,
      name: isServer ? `server-${i + 1}` : 'client',
      isServer,
      folder,
      ports: own,
      token,
      config: {
        ...(isServer ? { bootstrap_expect: serverCount } : {}),
        retry_join: serversPorts.map(({ serfLan }) => `127.0.0.1:${serfLan}`),
        retry_interval: '1s',
        // As the documentation advises for production; the default is made for small machines.
        performance: { raft_multiplier: 1 },
        // A server that is killed comes back: it stays a peer meanwhile.
        autopilot: { cleanup_dead_servers: false },
        ...config,
        ports: portSettings(own, version),
      },
    });
  });
  const servers = members.filter(({ isServer }) => isServer);
  const client = members.find(({ isServer }) => !isServer);
  if (client === undefined) throw new Error('the cluster has no client agent');

  const killAll = (): void => {
    for (const { pid, isRunning } of members) {
      if (pid !== undefined && isRunning) process.kill(pid, 'SIGKILL');
    }
    // A process that has just been killed may still be writing.
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
  };
  const unhook = beforeDeath(killAll);
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.kill()));
    unhook();
    killAll();
  };
  const running = (): ClusterMember[] => members.filter(({ isRunning }) => isRunning);

  const leader = async (): Promise<ClusterMember> => {
    let found: ClusterMember | undefined;
    await until('the servers agree on a leader', async () => {
      const asked = running().filter(({ isServer }) => isServer);
      const named = await Promise.all(asked.map(({ url }) => leaderAt(url, token)));
      const [first] = named;
      found = servers.find(({ serverAddress }) => serverAddress === first);
      return found?.isRunning === true && named.every((one) => one === first);
    });
    if (found === undefined) throw new Error('there is no leader');
    return found;
  };
  const settled = async (): Promise<void> => {
    await leader();
    await until('all members are in the catalogue', async () => {
      const known = await Promise.all(running().map(({ url }) => passingNodes(url, token)));
      return known.every((nodes) => running().every(({ name }) => nodes.includes(name)));
    });
  };

  return {
    servers,
    client,
    leader,
    settled,
    async saveSnapshot() {
      const { url } = await leader();
      const { status, body } = await askAgent(url, '/v1/snapshot', { token });
      if (status !== 200) throw new Error(`no snapshot: ${status} ${body.toString()}`);
      return body;
    },
    async restoreSnapshot(archive) {
      const { url } = await leader();
      await askForJson(url, '/v1/snapshot', {
        method: 'PUT',
        body: archive,
        token,
        timeoutMs: 20_000,
      });
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function freePorts(members: number): Promise<MemberPorts[]> {
  const found: MemberPorts[] = [];
  for (let i = 0; i < members; i++) {
    found.push({ http: await freePort(), server: await freePort(), serfLan: await freePort() });
  }
  return found;
}

function portSettings(
  { http, server, serfLan }: MemberPorts,
  version: string,
): Record<string, number> {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const since114 = major > 1 || minor >= 14;
  return {
    http,
    server,
    serf_lan: serfLan,
    serf_wan: -1,
    dns: -1,
    grpc: -1,
    // A second gRPC port, which older agents do not know.
    ...(since114 ? { grpc_tls: -1 } : {}),
  };
}

async function leaderAt(url: string, token: string | undefined): Promise<string> {
  try {
    return await askForJson<string>(url, '/v1/status/leader', { token, timeoutMs: 1_000 });
  } catch {
    return '';
  }
}

/** Names of the nodes whose agents are up, as this agent tells them. */
async function passingNodes(url: string, token: string | undefined): Promise<string[]> {
  try {
    const checks = await askForJson<readonly { readonly Node: string; readonly CheckID: string }[]>(
      url,
      '/v1/health/state/passing',
      { token, timeoutMs: 1_000 },
    );
    return checks.filter(({ CheckID }) => CheckID === 'serfHealth').map(({ Node }) => Node);
  } catch {
    return [];
  }
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + SETTLES_WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`not within 30 s: ${what}`);
    await sleep(50);
  }
}
