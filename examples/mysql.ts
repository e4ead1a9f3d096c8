/**
 * MySQL or MariaDB with replicas: writes go to the primary, reads to the replicas, and both follow a failover. Needs
 * servers that replicate: MYSQL_SERVERS=mysql://db-1:3306,mysql://db-2:3306, MYSQL_USER, MYSQL_PASSWORD, MYSQL_DATABASE.
 * The user sees how replication stands by GRANT REPLICA MONITOR (MariaDB) or REPLICATION CLIENT (MySQL) ON *.*.
 */
import { fileURLToPath } from 'node:url';
import {
  type CheckFunction,
  type Classify,
  type Client,
  classify,
  createClient,
  type Instance,
} from 'fairlead';
import { staticList } from 'fairlead/static';
import {
  type Connection,
  createConnection,
  createPool,
  type Pool,
  type PoolConnection,
  type QueryError,
  type ResultSetHeader,
  type RowDataPacket,
} from 'mysql2/promise';

export interface DatabaseOptions {
  /** Of all servers, such as `mysql://db-1:3306`; which of them is the primary is found out. */
  readonly servers: readonly string[];
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Pause between two looks at a server's role, in ms. Default 1,000. */
  readonly intervalMs?: number;
}

export interface Database {
  readonly client: Client;
  /** Runs a statement on a replica; once more, on another one, when that fails. May be behind the last write. */
  read<Row>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Runs a statement on the primary; again only when it was provably not executed. */
  write(sql: string, values?: unknown[]): Promise<ResultSetHeader>;
  /** Runs `fn` in a transaction on the primary, once. */
  transaction<T>(fn: (connection: Connection) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** A replica further behind than this gets no reads. */
const MAX_LAG_S = 10;

export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { servers, intervalMs = 1_000, ...login } = options;

  const settingsOf = ({ host, port }: Instance) => ({
    ...login,
    host,
    port,
    connectTimeout: 1_000,
  });

  const findRole: CheckFunction = async ({ instance, signal }) => {
    const connection = await createConnection(settingsOf(instance));
    signal.addEventListener('abort', () => {
      connection.destroy();
    });
    try {
      return await roleOf(connection);
    } finally {
      await connection.end();
    }
  };

  const client = createClient({
    service: 'database',
    discovery: staticList(servers),
    healthCheck: { check: findRole, intervalMs },
    // While one server is left, none is used that is out: it would answer with what was true long ago.
    panicRatio: 0,
    classify: judge,
  });
  const primary = client.where({ role: 'primary' });
  const replicas = client.where({ role: 'replica', fallback: 'any' });

  const pools = new Map<string, Pool>();
  const poolOf = (instance: Instance): Pool => {
    const pool = pools.get(instance.id) ?? createPool(settingsOf(instance));
    pools.set(instance.id, pool);
    return pool;
  };
  // A server has left the list, and nobody uses it any more.
  client.on('instance.drained', ({ instanceId }) => {
    void pools.get(instanceId)?.end();
    pools.delete(instanceId);
  });

  /** One statement. Cut off when its time is up, for it would keep its connection from others. */
  const run = async <Result extends RowDataPacket[] | ResultSetHeader>(
    { instance, signal }: { readonly instance: Instance; readonly signal: AbortSignal },
    sql: string,
    values: unknown[],
  ): Promise<Result> => {
    const connection = await poolOf(instance).getConnection();
    const cut = (): void => {
      connection.destroy();
    };
    signal.addEventListener('abort', cut);
    try {
      signal.throwIfAborted();
      const [result] = await connection.query<Result>(sql, values);
      return result;
    } finally {
      signal.removeEventListener('abort', cut);
      connection.release();
    }
  };

  try {
    await primary.ready();
  } catch (error) {
    await client.close();
    throw error;
  }
  return {
    client,
    read: async <Row>(sql: string, values: unknown[] = []) =>
      (await replicas.call((attempt) => run<RowDataPacket[]>(attempt, sql, values), {
        idempotent: true,
      })) as Row[],
    write: (sql, values = []) =>
      primary.call((attempt) => run<ResultSetHeader>(attempt, sql, values)),
    async transaction(fn) {
      const lease = primary.pick();
      let connection: PoolConnection | undefined;
      try {
        connection = await poolOf(lease.instance).getConnection();
        await connection.beginTransaction();
        lease.answered(); // so quick is the server; how long the rest takes is up to `fn`
        const result = await fn(connection);
        await connection.commit();
        connection.release();
        lease.end('success');
        return result;
      } catch (error) {
        connection?.destroy(); // the server rolls back
        const settled = { ok: false, error } as const;
        lease.end((judge(settled, lease.instance) ?? classify(settled, lease.instance)).outcome);
        throw error;
      }
    },
    async close() {
      await client.close();
      const open = [...pools.values()];
      pools.clear();
      await Promise.all(open.map((pool) => pool.end()));
    },
  };
}

/** Which errors blame the server, and after which a statement may be sent again. */
const judge: Classify = (settled) => {
  if (settled.ok) return undefined;
  const { code = '', fatal, sqlState } = (settled.error ?? {}) as Partial<QueryError>;
  // It is no primary any more; the next look at its role will tell. Nothing was written.
  if (READ_ONLY.has(code)) return { outcome: 'failure', retry: 'always' };
  // It shuts down, or has too many connections.
  if (sqlState?.startsWith('08') === true) return { outcome: 'failure', retry: 'if-idempotent' };
  // The connection failed: the built-in rules know whether anything was sent.
  if (fatal === true) return undefined;
  // It has answered, if only that a key is taken; or `fn` has thrown an error of its own.
  return { outcome: 'ignored', retry: 'never' };
};

const READ_ONLY = new Set(['ER_OPTION_PREVENTS_STATEMENT', 'ER_READ_ONLY_MODE']);

/** The columns of MariaDB, and of MySQL since 8.0.22. */
interface ReplicaStatus extends RowDataPacket {
  readonly Slave_IO_Running?: string;
  readonly Slave_SQL_Running?: string;
  readonly Seconds_Behind_Master?: number | null;
  readonly Replica_IO_Running?: string;
  readonly Replica_SQL_Running?: string;
  readonly Seconds_Behind_Source?: number | null;
}

async function roleOf(connection: Connection): Promise<{ healthy: boolean; role: string }> {
  const [[settings]] = await connection.query<RowDataPacket[]>(
    'SELECT @@global.read_only AS readOnly',
  );
  if (settings?.['readOnly'] === 0) return { healthy: true, role: 'primary' };
  const [[status]] = await connection.query<ReplicaStatus[]>('SHOW REPLICA STATUS');
  const receives = status?.Slave_IO_Running ?? status?.Replica_IO_Running ?? 'No';
  const applies = status?.Slave_SQL_Running ?? status?.Replica_SQL_Running ?? 'No';
  // Not known while it looks for its primary. When that is down all replicas do: then they are needed most.
  const lagS = status?.Seconds_Behind_Master ?? status?.Seconds_Behind_Source ?? 0;
  const healthy = receives !== 'No' && applies === 'Yes' && lagS <= MAX_LAG_S;
  return { healthy, role: 'replica' };
}

async function main(): Promise<void> {
  const { MYSQL_SERVERS, MYSQL_USER, MYSQL_PASSWORD, MYSQL_DATABASE } = process.env;
  const database = await openDatabase({
    servers: (MYSQL_SERVERS ?? 'mysql://127.0.0.1:3306').split(','),
    user: MYSQL_USER ?? 'root',
    password: MYSQL_PASSWORD ?? '',
    database: MYSQL_DATABASE ?? 'test',
  });
  await database.write('CREATE TABLE IF NOT EXISTS notes (id SERIAL, text VARCHAR(100))');
  const { insertId } = await database.write('INSERT INTO notes (text) VALUES (?)', ['first']);
  await database.transaction(async (connection) => {
    await connection.query('UPDATE notes SET text = ? WHERE id = ?', ['changed', insertId]);
    await connection.query('INSERT INTO notes (text) VALUES (?)', ['second']);
  });
  for (let i = 0; i < 6; i++) {
    const [row] = await database.read<{ server: number }>('SELECT @@server_id AS server');
    console.log(`read from server ${row?.server ?? '?'}`);
  }
  console.log(
    database.client.snapshot().instances.map(({ id, role, health }) => ({ id, role, health })),
  );
  await database.close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
