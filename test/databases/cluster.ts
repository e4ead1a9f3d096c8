/** A primary and its replicas: real servers, real replication by GTID, and what an operator does when one fails. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeDeath } from '../../scripts/before-death.js';
import { findMariadb } from '../../scripts/ensure-mariadb.mjs';
import { createServer, makeTemplate, type MariadbServer } from './mariadb-server.js';
import { until } from './until.js';

export interface Cluster extends AsyncDisposable {
  /** The first starts as the primary. */
  readonly servers: readonly [MariadbServer, MariadbServer, MariadbServer];
  /** Of the users `shop` and `replicator`. */
  readonly password: string;
  /** Makes `replica` a replica of `primary`, from where it stands, and waits until its changes arrive. */
  follow(replica: MariadbServer, primary: MariadbServer): Promise<void>;
  /**
   * Makes a primary of the one of `survivors` that has most, and replicas of it of the others.
   *
   * @returns the new primary, when it takes writes.
   */
  promote(survivors: readonly MariadbServer[]): Promise<MariadbServer>;
  /** Kills all servers and removes their folder. */
  stop(): Promise<void>;
}

interface ReplicaStatus {
  readonly Slave_IO_Running: string;
  readonly Slave_SQL_Running: string;
  readonly Gtid_IO_Pos: string;
}

/** Starts one primary and two replicas, with an empty database `shop`. */
export async function startCluster(): Promise<Cluster> {
  const program = await findMariadb({ fetch: true });
  const folder = await mkdtemp(path.join(tmpdir(), 'fairlead-mariadb-'));
  const password = randomBytes(12).toString('hex');
  const all: MariadbServer[] = [];
  const cleanUp = (): void => {
    for (const server of all) server.killNow();
    rmSync(folder, { recursive: true, force: true });
  };
  const unhook = beforeDeath(cleanUp);
  const stop = async (): Promise<void> => {
    await Promise.all(all.map((server) => server.kill()));
    unhook();
    cleanUp();
  };

  const follow = async (replica: MariadbServer, primary: MariadbServer): Promise<void> => {
    await replica.query('STOP SLAVE');
    await replica.query(
      `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ?, MASTER_USER = 'replicator',
         MASTER_PASSWORD = ?, MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = slave_pos`,
      [primary.port, password],
    );
    await replica.query('START SLAVE');
    await until(`server ${replica.id} copies from server ${primary.id}`, async () => {
      const status = await statusOf(replica);
      return status.Slave_IO_Running === 'Yes' && status.Slave_SQL_Running === 'Yes';
    });
  };

  /** A write is acknowledged once a replica has it (semi-synchronous), so a primary's death loses none that was. */
  const lead = async (
    primary: MariadbServer,
    replicas: readonly MariadbServer[],
  ): Promise<void> => {
    await primary.query('SET GLOBAL rpl_semi_sync_master_enabled = ON');
    await Promise.all(replicas.map((replica) => follow(replica, primary)));
    await until(`server ${primary.id} has ${replicas.length} replicas`, async () => {
      const [status] = await primary.query<{ Value: string }>(
        "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_clients'",
      );
      return Number(status?.Value) === replicas.length;
    });
    await primary.query('SET GLOBAL read_only = OFF');
  };

  const promote = async (survivors: readonly MariadbServer[]): Promise<MariadbServer> => {
    const received = await Promise.all(survivors.map(receivedAll));
    const [first, ...others] = received
      .sort((a, b) => b.sequence - a.sequence)
      .map(({ server }) => server);
    if (first === undefined) throw new Error('nobody is left');
    await first.query('STOP SLAVE');
    await first.query('RESET SLAVE ALL');
    await lead(first, others);
    return first;
  };

  try {
    const template = path.join(folder, 'template');
    await makeTemplate(program, template, password);
    const create = (id: number): Promise<MariadbServer> =>
      createServer(program, { id, folder, template });
    const servers = [await create(1), await create(2), await create(3)] as const;
    all.push(...servers);
    await Promise.all(servers.map((server) => server.start()));
    const [primary, ...replicas] = servers;
    await lead(primary, replicas);
    return { servers, password, follow, promote, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits until a replica has done all that it has received, for `RESET SLAVE` throws away what it has not. */
async function receivedAll(
  server: MariadbServer,
): Promise<{ server: MariadbServer; sequence: number }> {
  await server.query('STOP SLAVE IO_THREAD');
  const { Gtid_IO_Pos: position } = await statusOf(server);
  const [done] = await server.query<{ late: number }>('SELECT MASTER_GTID_WAIT(?, 10) AS late', [
    position,
  ]);
  if (done?.late !== 0) throw new Error(`server ${server.id} does not get to ${position}`);
  // domain-server-sequence; there is one domain
  return { server, sequence: Number(position.split('-').at(-1)) };
}

async function statusOf(replica: MariadbServer): Promise<ReplicaStatus> {
  const [status] = await replica.query<ReplicaStatus>('SHOW SLAVE STATUS');
  if (status === undefined) throw new Error(`server ${replica.id} is no replica`);
  return status;
}
