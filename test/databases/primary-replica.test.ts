/** The example `examples/mysql.ts` against real MariaDB servers that replicate, and that are killed. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Database, openDatabase } from '../../examples/mysql.js';
import { type Cluster, startCluster } from './cluster.js';
import { openSockets, type TimerWatch, watchTimers } from './leftovers.js';
import type { MariadbServer } from './mariadb-server.js';
import { createTable, INSERT, readServer, startTraffic } from './traffic.js';
import { until } from './until.js';

const run = promisify(execFile);
const INTERVAL_MS = 500;
/**
 * For a check, which connects and asks, and a write: some 10 ms. The rest is for whoever else has the processor, three
 * database servers among them. It is less than would hide that two checks are needed instead of one.
 */
const CHECK_AND_WRITE_MS = 250;

let cluster: Cluster;
let database: Database;
let timers: TimerWatch;

beforeEach(async () => {
  timers = watchTimers();
  cluster = await startCluster();
  database = await openDatabase({
    servers: cluster.servers.map(({ port }) => `mysql://127.0.0.1:${port}`),
    user: 'shop',
    password: cluster.password,
    database: 'shop',
    intervalMs: INTERVAL_MS,
  });
  await knows({ 1: 'primary', 2: 'replica', 3: 'replica' });
});

afterEach(async () => {
  await database.close();
  await cluster.stop();
  timers.stop();
});

type Instances = ReturnType<Database['client']['snapshot']>['instances'];

function instanceOf(server: MariadbServer): Instances[number] {
  const { instances } = database.client.snapshot();
  const found = instances.find(({ id }) => id.endsWith(`:${server.port}`));
  if (found === undefined) throw new Error(`server ${server.id} is not listed`);
  return found;
}

/** Waits until the client has found these roles by server; `undefined` is that of an unhealthy one. */
async function knows(roles: Readonly<Record<number, string | undefined>>): Promise<void> {
  const wanted = JSON.stringify(Object.entries(roles));
  await until(`the client knows of ${wanted}`, () => {
    const known = cluster.servers.map((server) => [String(server.id), instanceOf(server).role]);
    return JSON.stringify(known) === wanted;
  });
}

/** Reads by the server that answered, of 8 readers at a time. */
async function countReads(reads: number): Promise<Map<number | undefined, number>> {
  const counts = new Map<number | undefined, number>();
  const readers = Array.from({ length: 8 }, async () => {
    for (let i = 0; i < reads / 8; i++) {
      const server = await readServer(database);
      counts.set(server, (counts.get(server) ?? 0) + 1);
    }
  });
  await Promise.all(readers);
  return counts;
}

const messageOf = (error: unknown): string => String(error);

describe('a client of a primary and two replicas', () => {
  it('spreads reads over the replicas and writes to the primary only', async () => {
    await createTable(database);
    for (let i = 0; i < 20; i++) {
      await database.write(INSERT, [`statement ${i}`]);
      await database.transaction((connection) => connection.query(INSERT, [`transaction ${i}`]));
    }
    const [primary] = cluster.servers;
    const rows = await primary.query(
      'SELECT server, COUNT(*) AS count FROM shop.orders GROUP BY 1',
    );
    expect(rows).toEqual([{ server: 1, count: 40 }]);

    const counts = await countReads(400);
    console.log('reads by server:', Object.fromEntries(counts));
    expect([...counts.keys()].sort()).toEqual([2, 3]);
    // Half each, give or take what one is quicker: whoever has fewer of the 8 in flight comes next.
    expect(Math.min(...counts.values())).toBeGreaterThan(80);
  });

  it('blames no server for what a statement or the application does wrong', async () => {
    await database.write('CREATE TABLE things (id INT PRIMARY KEY)');
    await database.write('INSERT INTO things VALUES (1)');
    const attempts = (): number => instanceOf(cluster.servers[0]).attempts;
    const before = attempts();
    for (let i = 0; i < 10; i++) {
      const twice = database.write('INSERT INTO things VALUES (1)');
      await expect(twice).rejects.toMatchObject({ code: 'ER_DUP_ENTRY' });
      const own = database.transaction(async (connection) => {
        await connection.query('INSERT INTO things VALUES (2)');
        throw new Error('out of stock');
      });
      await expect(own).rejects.toThrow('out of stock');
    }
    expect(attempts() - before).toBe(20);
    expect(instanceOf(cluster.servers[0])).toMatchObject({
      successRatio: 1,
      breaker: 'closed',
      pending: 0,
    });
    const rows = await cluster.servers[0].query('SELECT id FROM shop.things');
    expect(rows).toEqual([{ id: 1 }]);
  });

  it('blames a server that takes no writes although it was the primary', async () => {
    await createTable(database);
    const [primary] = cluster.servers;
    await primary.query('SET GLOBAL read_only = ON');
    const refused = database.transaction((connection) => connection.query(INSERT, ['late']));
    await expect(refused).rejects.toMatchObject({ code: 'ER_OPTION_PREVENTS_STATEMENT' });
    expect(instanceOf(primary).successRatio).toBeLessThan(1);
    // Read-only and no replica of anybody: it is of no use.
    await knows({ 1: undefined, 2: 'replica', 3: 'replica' });
    await expect(database.write(INSERT, ['late'])).rejects.toMatchObject({
      code: 'ERR_FAIRLEAD_NO_MATCH',
    });
  });

  it('sends a write once only when it was executed and the answer is lost', async () => {
    await createTable(database);
    const [primary, ...replicas] = cluster.servers;
    // Executed, but not acknowledged before a replica has it.
    await Promise.all(replicas.map((replica) => replica.query('STOP SLAVE IO_THREAD')));
    const lost = expect(database.write(INSERT, ['unsure'])).rejects.toMatchObject({
      code: 'PROTOCOL_CONNECTION_LOST',
    });
    const writer = await until('the write waits', async () => {
      const clients = await primary.query<{ Id: number; State: string | null }>('SHOW PROCESSLIST');
      return clients.find(({ State }) => State?.includes('semi-sync ACK') === true);
    });
    await primary.query('KILL ?', [writer.Id]);
    await Promise.all(replicas.map((replica) => replica.query('START SLAVE IO_THREAD')));
    await lost;
    const rows = await primary.query('SELECT word FROM shop.orders');
    expect(rows).toEqual([{ word: 'unsure' }]);
  });

  it('reads from no replica that has stopped to follow, and from the primary when none is left', async () => {
    const [, second, third] = cluster.servers;
    await second.query('STOP SLAVE SQL_THREAD');
    await knows({ 1: 'primary', 2: undefined, 3: 'replica' });
    expect([...(await countReads(40)).keys()]).toEqual([3]);

    await third.query('STOP SLAVE');
    await knows({ 1: 'primary', 2: undefined, 3: undefined });
    expect([...(await countReads(40)).keys()]).toEqual([1]);

    await Promise.all([second.query('START SLAVE'), third.query('START SLAVE')]);
    await knows({ 1: 'primary', 2: 'replica', 3: 'replica' });
    expect([...(await countReads(400)).keys()].sort()).toEqual([2, 3]);
  });

  it('fails no read when a replica is killed', async () => {
    await createTable(database);
    const traffic = startTraffic(database);
    await until('both replicas are read', () => {
      const servers = new Set(traffic.reads.map(({ server }) => server));
      return servers.has(2) && servers.has(3);
    });
    await cluster.servers[1].kill();
    await knows({ 1: 'primary', 2: undefined, 3: 'replica' });
    await traffic.stop();
    expect(traffic.reads.flatMap(({ error }) => error ?? []).map(messageOf)).toEqual([]);
    expect(traffic.writes.flatMap(({ error }) => error ?? []).map(messageOf)).toEqual([]);
  });
});

describe('when the primary is killed', () => {
  it.each([
    ['a replica is promoted before anybody has noticed', false],
    ['a replica is promoted once the client has given the primary up', true],
  ])('writes follow and reads go on: %s', async (_, isNoticed) => {
    await createTable(database);
    const traffic = startTraffic(database);
    await until('a hundred writes', () => traffic.writes.length >= 100);

    const [old, ...survivors] = cluster.servers;
    await old.kill();
    const killedMs = performance.now();
    if (isNoticed) await knows({ 1: undefined, 2: 'replica', 3: 'replica' });
    const primary = await cluster.promote(survivors);
    const promotedMs = performance.now();
    const other = survivors.find((server) => server !== primary);
    const goodSince = (ms: number) =>
      traffic.writes.find(({ endedMs, error }) => endedMs > ms && error === undefined);
    const first = await until('a write after the promotion', () => goodSince(promotedMs));
    const followedMs = first.endedMs - promotedMs;
    await knows({ 1: undefined, [primary.id]: 'primary', [other?.id ?? 0]: 'replica' });
    const settledMs = performance.now();
    await until('a hundred writes more', () => traffic.writes.length >= 200);

    // Nothing is known of what the old primary has and the others have not: it begins anew, as a replica.
    await old.wipe();
    await old.start();
    await cluster.follow(old, primary);
    await knows({ 1: 'replica', [primary.id]: 'primary', [other?.id ?? 0]: 'replica' });
    await until('reads from the old primary', () => traffic.reads.at(-1)?.server === old.id);
    await traffic.stop();

    const { reads, writes } = traffic;
    const gaps = reads.slice(1).map(({ endedMs }, i) => endedMs - (reads[i]?.endedMs ?? 0));
    const failed = writes.filter(({ error }) => error !== undefined);
    console.log(
      [
        `promotion ${Math.round(promotedMs - killedMs)} ms after the kill`,
        `first write ${Math.round(followedMs)} ms after the promotion`,
        `${writes.length} writes, ${failed.length} failed`,
        `${reads.length} reads, longest pause ${Math.round(Math.max(...gaps))} ms`,
      ].join('; '),
    );
    expect(followedMs).toBeLessThan(INTERVAL_MS * 1.1 + CHECK_AND_WRITE_MS);
    expect(failed.filter(({ startedMs }) => startedMs > settledMs)).toEqual([]);
    expect(reads.flatMap(({ error }) => error ?? []).map(messageOf)).toEqual([]);
    expect(Math.max(...gaps)).toBeLessThan(INTERVAL_MS);

    // What was acknowledged is there, nothing is there twice, and each server has it all.
    const rowsOf = (server: MariadbServer): Promise<{ word: string; server: number }[]> =>
      server.query('SELECT word, server FROM shop.orders ORDER BY id');
    const rows = await rowsOf(primary);
    const words = rows.map(({ word }) => word);
    expect(new Set(words).size).toBe(words.length);
    const written = writes.filter(({ error }) => error === undefined);
    expect(written.map(({ word }) => word).filter((word) => !words.includes(word))).toEqual([]);
    expect(new Set(rows.map(({ server }) => server))).toEqual(new Set([old.id, primary.id]));
    for (const replica of cluster.servers) {
      await until(`server ${replica.id} has all rows`, async () => {
        return (await rowsOf(replica)).length === rows.length;
      });
    }

    await database.close();
    await vi.waitFor(() => {
      expect(timers.left()).toEqual([]);
      expect(openSockets()).toBe(0);
    });
    for (const server of cluster.servers) {
      await until(`server ${server.id} has lost all its clients`, async () => {
        const clients = await server.query<{ User: string }>('SHOW PROCESSLIST');
        return clients.every(({ User }) => User !== 'shop');
      });
    }
  });
});

describe('the example as a program', () => {
  it('writes, reads from replicas and ends by itself', async () => {
    const folder = fileURLToPath(new URL('../../examples/', import.meta.url));
    const { stdout } = await run(
      process.execPath,
      ['--import', 'tsx', path.join(folder, 'mysql.ts')],
      {
        timeout: 30_000,
        env: {
          ...process.env,
          // Without the paths of tsconfig.json, `fairlead` is what package.json exports.
          TSX_TSCONFIG_PATH: path.join(folder, 'tsconfig.built.json'),
          MYSQL_SERVERS: cluster.servers.map(({ port }) => `mysql://127.0.0.1:${port}`).join(','),
          MYSQL_USER: 'shop',
          MYSQL_PASSWORD: cluster.password,
          MYSQL_DATABASE: 'shop',
        },
      },
    );
    expect(stdout).toMatch(/^(read from server [23]\n){6}\[/);
    const rows = await cluster.servers[0].query('SELECT text FROM shop.notes ORDER BY id');
    expect(rows).toEqual([{ text: 'changed' }, { text: 'second' }]);
  });
});
