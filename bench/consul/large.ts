/** One service of 10,000 instances: what an update costs who watches it, and what comes of ten updates a second. */
import { setTimeout as sleep } from 'node:timers/promises';
import { tcpProxy } from '../../src/testing.js';
import { startChild } from './child.js';
import type { LargeListOrders, UpdateCost } from './large-list.js';
import type { LargeService } from './large-service.js';
import type { Block } from './loop-gaps.js';
import type { NpmWatchOrders } from './npm-watch.js';

export interface UpdateCosts {
  /** The longest block of an idle second: the machine's own noise. */
  readonly idleBlock: Block;
  /** The first list of a client. */
  readonly first: readonly UpdateCost[];
  /** 1 % of the instances had changed. */
  readonly changed: readonly UpdateCost[];
  /** None had: a check said the same in other words. */
  readonly unchanged: readonly UpdateCost[];
}

/**
 * Client after client, each with a first list and two updates: so many the token bucket lets through at once. They read
 * from the agent without a proxy in between, whose slowness would spread the work.
 */
export async function measureUpdates(
  url: string,
  service: LargeService,
  clients: number,
): Promise<UpdateCosts> {
  await using child = await startChild<LargeListOrders>('large-list.ts');
  const idleBlock = await child.tell('idle', { ms: 1_000 });
  const first: UpdateCost[] = [];
  const changed: UpdateCost[] = [];
  const unchanged: UpdateCost[] = [];
  const after = async (change: () => Promise<void>): Promise<UpdateCost> => {
    const cost = child.tell('nextUpdate');
    await change();
    return cost;
  };
  for (let i = 0; i < clients; i++) {
    first.push(await child.tell('open', { url, service: service.name }));
    const size = await child.tell('size');
    if (size !== service.instances) throw new Error(`the client has ${size} instances`);
    changed.push(await after(service.turnNode));
    unchanged.push(await after(service.rephrase));
    await child.tell('close');
  }
  return { idleBlock, first, changed, unchanged };
}

/** What one watcher did during the flood. */
export interface FloodShare {
  /** Bytes that the agent sent it, counted on the way. */
  readonly bytes: number;
  readonly block: Block;
  readonly cpuMs: number;
}

export interface Flood {
  readonly updates: number;
  readonly fairlead: FloodShare;
  readonly npmWatch: FloodShare;
}

/** Ten updates a second for `ms`, watched by a client and by the npm client's `watch()` side by side. */
export async function measureFlood(url: string, service: LargeService, ms: number): Promise<Flood> {
  const port = Number(new URL(url).port);
  await using ourProxy = await tcpProxy({ port });
  await using npmProxy = await tcpProxy({ port });
  await using ours = await startChild<LargeListOrders>('large-list.ts');
  await using npm = await startChild<NpmWatchOrders>('npm-watch.ts');
  const through = (proxy: { readonly port: number }): { url: string; service: string } => ({
    url: `http://127.0.0.1:${proxy.port}`,
    service: service.name,
  });
  await ours.tell('open', through(ourProxy));
  await npm.tell('open', through(npmProxy));

  const before = { ours: await ours.tell('state'), npm: await npm.tell('state') };
  const bytes = { ours: ourProxy.replyBytes, npm: npmProxy.replyBytes };
  const endMs = performance.now() + ms;
  const sent: Promise<void>[] = [];
  for (let dueMs = performance.now(); dueMs < endMs; dueMs += 100) {
    await sleep(Math.max(0, dueMs - performance.now()));
    sent.push(service.turnOne());
  }
  const after = { ours: await ours.tell('state'), npm: await npm.tell('state') };
  const flood = {
    updates: sent.length,
    fairlead: {
      bytes: ourProxy.replyBytes - bytes.ours,
      block: after.ours.block,
      cpuMs: after.ours.cpuMs - before.ours.cpuMs,
    },
    npmWatch: {
      bytes: npmProxy.replyBytes - bytes.npm,
      block: after.npm.block,
      cpuMs: after.npm.cpuMs - before.npm.cpuMs,
    },
  };
  await Promise.all(sent);
  return flood;
}
