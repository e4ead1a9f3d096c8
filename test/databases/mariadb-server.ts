/** One real MariaDB server on loopback, with a data folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { freePort } from '../../scripts/consul/free-port.js';
import type { MariadbProgram } from '../../scripts/ensure-mariadb.mjs';
import { until } from './until.js';

export interface MariadbServer {
  /** `@@server_id`. */
  readonly id: number;
  readonly port: number;
  /** Starts it, on the same port and data. It comes up read-only: who is primary is for the cluster to say. */
  start(): Promise<void>;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** Ends it at once, for when this process itself ends. */
  killNow(): void;
  /** Empties its data folder, while it does not run: it then knows nothing but its users. */
  wipe(): Promise<void>;
  /** As root, through the socket, over a connection of its own. */
  query<Row>(sql: string, values?: unknown[]): Promise<Row[]>;
}

/** Small and quick: all it must outlive is its own process, not the machine. */
const SETTINGS = [
  '--innodb-buffer-pool-size=8M',
  '--innodb-log-file-size=4M',
  '--innodb-flush-method=nosync',
  '--innodb-flush-log-at-trx-commit=2',
  '--key-buffer-size=1M',
  '--aria-pagecache-buffer-size=1M',
];

/** Where its messages and character sets are, should it not be where it was made to be. */
function placesOf({ share }: MariadbProgram): string[] {
  return [`--lc-messages-dir=${share}`, `--character-sets-dir=${path.join(share, 'charsets')}`];
}

/** It refuses to run as root unless told so. */
const USER = process.getuid?.() === 0 ? ['--user=root'] : [];

const STARTS = 5;

/**
 * Makes a data folder to copy others from: `shop` may read and write the database `shop` and see how replication stands;
 * `replicator` may copy.
 *
 * @param password of both.
 */
export async function makeTemplate(
  program: MariadbProgram,
  folder: string,
  password: string,
): Promise<void> {
  await mkdir(folder);
  const tables = await Promise.all(program.systemTables.map((file) => readFile(file, 'utf8')));
  const sql = [
    'CREATE DATABASE mysql;',
    'USE mysql;',
    'SET @auth_root_socket = NULL;',
    ...tables,
    "DELETE FROM global_priv WHERE user = 'root' AND host <> 'localhost';",
    'FLUSH PRIVILEGES;',
    'CREATE DATABASE shop;',
    `CREATE USER shop@'127.0.0.1' IDENTIFIED BY '${password}';`,
    "GRANT ALL ON shop.* TO shop@'127.0.0.1';",
    "GRANT REPLICA MONITOR ON *.* TO shop@'127.0.0.1';",
    `CREATE USER replicator@'127.0.0.1' IDENTIFIED BY '${password}';`,
    "GRANT REPLICATION SLAVE ON *.* TO replicator@'127.0.0.1';",
  ];
  const child = spawn(
    program.binary,
    [
      '--no-defaults',
      ...USER,
      ...SETTINGS,
      ...placesOf(program),
      `--datadir=${folder}`,
      '--bootstrap',
    ],
    { env: program.env, stdio: ['pipe', 'ignore', 'pipe'] },
  );
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => (words += chunk.toString()));
  child.stdin.on('error', () => undefined); // it ended early: its exit code tells
  child.stdin.end(`${sql.join('\n')}\n`);
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`The system tables could not be made:\n${words.slice(-2_000)}`);
}

/** A server that does not run yet, on a port that was free a moment ago. */
export async function createServer(
  program: MariadbProgram,
  options: { readonly id: number; readonly folder: string; readonly template: string },
): Promise<MariadbServer> {
  const { id, template } = options;
  const data = path.join(options.folder, `data-${id}`);
  const socket = path.join(options.folder, `${id}.sock`);
  const log = path.join(options.folder, `${id}.log`);
  let port = await freePort();
  let started = false;
  let running: ChildProcess | undefined;

  const wipe = async (): Promise<void> => {
    await rm(data, { recursive: true, force: true });
    await cp(template, data, { recursive: true });
  };

  const query = async <Row>(sql: string, values: unknown[] = []): Promise<Row[]> => {
    const connection = await createConnection({ socketPath: socket, user: 'root' });
    try {
      const [rows] = await connection.query<RowDataPacket[]>(sql, values);
      return rows as Row[];
    } finally {
      connection.destroy();
    }
  };

  const kill = async (): Promise<void> => {
    const child = running;
    if (child === undefined || hasEnded(child)) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };

  const startOnce = async (): Promise<boolean> => {
    const args = [
      '--no-defaults',
      ...USER,
      ...SETTINGS,
      ...placesOf(program),
      `--datadir=${data}`,
      `--socket=${socket}`,
      `--pid-file=${path.join(options.folder, `${id}.pid`)}`,
      `--log-error=${log}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      '--skip-name-resolve',
      '--performance-schema=OFF',
      `--server-id=${id}`,
      '--log-bin=changes',
      '--log-slave-updates=ON',
      '--gtid-strict-mode=ON',
      '--skip-slave-start',
      '--read-only=ON',
      '--rpl-semi-sync-master-wait-point=AFTER_SYNC',
      '--rpl-semi-sync-slave-enabled=ON',
    ];
    await writeFile(log, '');
    const child = spawn(program.binary, args, { env: program.env, stdio: 'ignore' });
    running = child;
    let failure: Error | undefined;
    child.once('error', (error) => (failure = error));
    return await until(`server ${id} answers`, async () => {
      if (failure !== undefined) throw failure;
      if (hasEnded(child)) return 'ended';
      return query('SELECT 1').then(
        () => 'up',
        () => false,
      );
    }).then((state) => state === 'up');
  };

  await wipe();
  return {
    id,
    get port() {
      return port;
    },
    async start() {
      for (let attempt = 1; !(await startOnce()); attempt++) {
        // Most likely another process took the port between the look and the start.
        if (started || attempt === STARTS) {
          throw new Error(`Server ${id} did not start. Its last words:\n${await lastWords(log)}`);
        }
        port = await freePort();
      }
      started = true;
    },
    kill,
    killNow: () => running?.kill('SIGKILL'),
    wipe,
    query,
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function lastWords(log: string): Promise<string> {
  return (await readFile(log, 'utf8')).slice(-2_000);
}
