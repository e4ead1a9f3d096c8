/** A process that watches one large service and tells what each update costs it. */
import diagnostics from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from 'fairlead';
import { consul } from 'fairlead/consul';
import { type Block, watchLoop } from './loop-gaps.js';
import { obey } from './obey.js';

/** What one update took, from its first byte on. */
export interface UpdateCost {
  /** The longest block of the event loop. */
  readonly block: Block;
  /** CPU time of the whole process: the loop and the threads that collect garbage beside it. */
  readonly cpuMs: number;
  /** The first pick after it, which makes a new candidate list, in ms; 0 when nothing had changed. */
  readonly pickMs: number;
  /** From the reply's last byte to the list in use, in ms; `undefined` when nothing had changed. */
  readonly lateMs: number | undefined;
}

/** Longer than any slice is away, short enough to cost little CPU time of its own. */
const QUIET_MS = 300;

const orders = {
  /** Makes a client and waits for its first list. */
  open({ url, service }: { url: string; service: string }): Promise<UpdateCost> {
    return costOf(() => {
      client = createClient({ service, discovery: consul({ url }), readyTimeoutMs: 30_000 });
      client.on('instances.changed', onChanged);
    });
  },
  /** The next update, whenever it comes. */
  nextUpdate: (): Promise<UpdateCost> => costOf(() => undefined),
  /** The longest block while nothing happens, for `ms`. */
  async idle({ ms }: { ms: number }): Promise<Block> {
    await sleep(ms);
    loop.longest();
    await sleep(ms);
    return loop.longest();
  },
  /** The longest block of the event loop since the last call, and CPU time so far, in ms. */
  state(): { block: Block; cpuMs: number } {
    const { user, system } = process.cpuUsage();
    return { block: loop.longest(), cpuMs: (user + system) / 1e3 };
  },
  size: (): number => client?.snapshot().instances.length ?? 0,
  async close(): Promise<void> {
    await client?.close();
  },
};
export type LargeListOrders = typeof orders;

let client: Client | undefined;
const loop = watchLoop();
let changedAtMs = NaN;
let pickMs = 0;

/** As in an application: the next pick comes on an event of its own. */
function onChanged(): void {
  changedAtMs = performance.now();
  setImmediate(() => {
    const startMs = performance.now();
    client?.pick().end('ignored');
    pickMs = performance.now() - startMs;
  });
}

async function costOf(begin: () => void): Promise<UpdateCost> {
  loop.longest();
  changedAtMs = NaN;
  pickMs = 0;
  const usage = process.cpuUsage();
  const ended = nextReply();
  begin();
  const endedAtMs = await ended;
  // All is done once nothing has held the loop up for a while: work done in slices shows as many small blocks.
  do await sleep(50);
  while (loop.quietForMs(3) < QUIET_MS);
  const { user, system } = process.cpuUsage(usage);
  return {
    block: loop.longest(),
    cpuMs: (user + system) / 1e3,
    pickMs,
    lateMs: Number.isNaN(changedAtMs) ? undefined : changedAtMs - endedAtMs,
  };
}

/** When the next reply to a read of a service's health has arrived as a whole. */
function nextReply(): Promise<number> {
  const name = 'http.client.response.finish';
  return new Promise((resolve) => {
    const onReply = (message: unknown): void => {
      const { request, response } = message as {
        request: { path: string };
        response: IncomingMessage;
      };
      if (!request.path.startsWith('/v1/health/service/')) return;
      response.once('end', () => {
        diagnostics.unsubscribe(name, onReply);
        resolve(performance.now());
      });
    };
    diagnostics.subscribe(name, onReply);
  });
}

obey(orders);
