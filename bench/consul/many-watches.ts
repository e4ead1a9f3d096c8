/** A process that watches many services through one agent, and has services of its own to keep alive there. Needs `--expose-gc`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient, createClientPool } from 'fairlead';
import { consul, type Registration, registerService } from 'fairlead/consul';
import { monotonicMs } from './monotonic.js';
import { obey } from './obey.js';

/** A list that a client came to use. */
export interface Heard {
  readonly service: string;
  readonly atMs: number;
  /** Of its first instance. */
  readonly weight: number | undefined;
}

export interface ManyOrder {
  readonly url: string;
  readonly services: readonly string[];
  /** One adapter for all, as in a pool, or one each. */
  readonly adapters: 'one' | 'each';
  readonly pollMs: number;
}

export interface RegisterOrder {
  readonly url: string;
  readonly names: readonly string[];
  readonly ttlMs: number;
}

let clients: readonly Client[] = [];
let close: () => Promise<unknown> = () => Promise.resolve();
let registrations: readonly Registration[] = [];
const heard: Heard[] = [];
const faults = new Map<string, number>();

const orders = {
  /** Resolves once every client has its first list; gives how long that took, in ms. */
  async watch({ url, services, adapters, pollMs }: ManyOrder): Promise<number> {
    const startMs = monotonicMs();
    if (adapters === 'one') {
      const pool = createClientPool({ discovery: consul({ url, pollMs }) });
      clients = services.map((service) => pool.client(service));
      close = () => pool.close();
    } else {
      clients = services.map((service) =>
        createClient({ service, discovery: consul({ url, pollMs }) }),
      );
      close = () => Promise.all(clients.map((client) => client.close()));
    }
    for (const client of clients) {
      client.on('instances.changed', () => {
        const [first] = client.snapshot().instances;
        heard.push({ service: client.service, atMs: monotonicMs(), weight: first?.weight });
      });
      client.on('discovery.fault', ({ message }) => {
        const kind = message.replace(/ of "[^"]*"/, '').replace(/[\d.]+ s/, 'some s');
        faults.set(kind, (faults.get(kind) ?? 0) + 1);
      });
    }
    await Promise.all(clients.map((client) => client.ready()));
    return monotonicMs() - startMs;
  },
  /** Registers services of this process, which it keeps alive by heartbeats. */
  async register({ url, names, ttlMs }: RegisterOrder): Promise<void> {
    registrations = await Promise.all(
      names.map((name) =>
        registerService({ url, name, id: name, port: 80, check: { ttlMs }, settleMs: 0 }),
      ),
    );
  },
  heard: (): readonly Heard[] => heard,
  /** For `ms` calls all services, in vain. */
  async fail({ ms }: { ms: number }): Promise<void> {
    const endMs = monotonicMs() + ms;
    const lost = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    await Promise.all(
      clients.map(async (client) => {
        while (monotonicMs() < endMs) {
          await client.call(() => Promise.reject(lost)).catch(() => undefined);
          await sleep(50);
        }
      }),
    );
  },
  /** What went wrong, whichever the service, and how often. */
  faults: (): Readonly<Record<string, number>> => Object.fromEntries(faults),
  /** Bytes in use once what is collected has been freed. */
  async heap(): Promise<number> {
    if (globalThis.gc === undefined) throw new Error('run with --expose-gc');
    for (let pass = 0; pass < 4; pass++) {
      await sleep(20);
      globalThis.gc();
    }
    return process.memoryUsage().heapUsed;
  },
  cpuMs(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e3;
  },
  /** Ends everything; gives what is left that could keep the process alive, the IPC channel to the parent not counted. */
  async close(): Promise<readonly string[]> {
    await Promise.all([close(), ...registrations.map((one) => one.stop())]);
    await sleep(50);
    return process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap');
  },
};
export type ManyWatchesOrders = typeof orders;

obey(orders);
