/** Readers and writers that work on while servers die, and what became of each statement. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../examples/mysql.js';

/** A statement that has ended, well unless there is an `error`. */
interface Entry {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly error: unknown;
}

export interface Traffic {
  /** `server` is the one that answered. */
  readonly reads: readonly (Entry & { readonly server: number | undefined })[];
  /** Each wrote a word of its own; a writer whose statement failed goes on with the next word. */
  readonly writes: readonly (Entry & { readonly word: string })[];
  /** Ends when all that is under way has ended. */
  stop(): Promise<void>;
}

const READERS = 4;
/** Of each kind: single statements, and transactions. */
const WRITERS = 2;
/** Between two statements of a worker: the servers are to be busy, not flooded. */
const PAUSE_MS = 2;
/** After a failure, as an application would. */
const BACKOFF_MS = 10;

/** `word` is no key: a statement that is executed twice leaves two rows. */
export async function createTable(database: Database): Promise<void> {
  await database.write(
    'CREATE TABLE orders (id SERIAL, word VARCHAR(40) NOT NULL, server INT NOT NULL)',
  );
}

export const INSERT = 'INSERT INTO orders (word, server) VALUES (?, @@server_id)';

export async function readServer(database: Database): Promise<number | undefined> {
  const [row] = await database.read<{ server: number }>('SELECT @@server_id AS server');
  return row?.server;
}

export function startTraffic(database: Database): Traffic {
  const reads: Traffic['reads'][number][] = [];
  const writes: Traffic['writes'][number][] = [];
  let running = true;
  let words = 0;

  const read = async (): Promise<Entry> => {
    let server: number | undefined;
    const entry = await ended(async () => {
      server = await readServer(database);
    });
    reads.push({ ...entry, server });
    return entry;
  };
  const writing = (insert: (word: string) => Promise<unknown>) => async (): Promise<Entry> => {
    const word = `word ${++words}`;
    const entry = await ended(() => insert(word));
    writes.push({ ...entry, word });
    return entry;
  };
  const kinds = [
    { count: READERS, once: read },
    { count: WRITERS, once: writing((word) => database.write(INSERT, [word])) },
    {
      count: WRITERS,
      once: writing((word) =>
        database.transaction((connection) => connection.query(INSERT, [word])),
      ),
    },
  ];
  const work = async (once: () => Promise<Entry>): Promise<void> => {
    while (running) {
      const { error } = await once();
      await sleep(error === undefined ? PAUSE_MS : BACKOFF_MS);
    }
  };
  const workers = kinds.flatMap(({ count, once }) =>
    Array.from({ length: count }, () => work(once)),
  );
  return {
    reads,
    writes,
    async stop() {
      running = false;
      await Promise.all(workers);
    },
  };
}

async function ended(fn: () => Promise<unknown>): Promise<Entry> {
  const startedMs = performance.now();
  let error: unknown;
  try {
    await fn();
  } catch (caught) {
    error = caught;
  }
  return { startedMs, endedMs: performance.now(), error };
}
