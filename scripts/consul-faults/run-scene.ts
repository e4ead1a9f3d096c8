import { setTimeout as sleep } from 'node:timers/promises';
import { httpProxy, type HttpProxy } from '../../src/testing/http-proxy.js';
import type { ConsulCluster } from '../consul-cluster.js';
import { watchWithFairlead } from './fairlead-watcher.js';
import type { FaultFigures, WatcherFigures } from './figures.js';
import { instancesAt } from './instances.js';
import { countLeftovers, type Leftovers } from './leftovers.js';
import { watchWithNpmClient } from './npm-watcher.js';
import { AFTER, BEFORE, LIVING, type Proxies, type Scene, type Stage } from './scene.js';
import type { Saying, Watcher } from './watcher.js';

export interface Patience {
  /** How long Fairlead is waited for after the cure, in ms. */
  readonly fairleadMs: number;
  /** How long `watch()` is waited for once Fairlead is right, in ms. */
  readonly npmMs: number;
  /** Faults last as long as they should, rather than as long as tests have time for. */
  readonly isFull: boolean;
}

const CHANGE_AFTER_MS = 500;
const TRUTH_WITHIN_MS = 60_000;
const STAYS_RIGHT_MS = 1_000;
const CLOSES_WITHIN_MS = 3_000;

/** One watcher in a scene. */
interface Side {
  readonly watcher: Watcher;
  readonly proxy: HttpProxy;
  readonly leftovers: Leftovers;
}

/** Sets one scene, lets both watchers live through its fault side by side, and measures. */
export async function runScene(
  scene: Scene,
  cluster: () => Promise<ConsulCluster>,
  patience: Patience,
  service: string,
): Promise<FaultFigures> {
  const stage = await ('agent' in scene.open
    ? scene.open.agent()
    : scene.open.cluster(await cluster(), service));
  const open: { close(): Promise<void> }[] = [stage];
  try {
    const proxies = [
      await httpProxy({ target: stage.url }),
      await httpProxy({ target: stage.url }),
    ];
    const [first, second] = proxies;
    if (first === undefined || second === undefined) throw new Error('two proxies are needed');
    open.push(first, second);
    const all: Proxies = {
      set: (...faults) => {
        for (const proxy of proxies) proxy.set(...faults);
      },
    };
    if (scene.fromStart === true) await stage.strike(all);
    const fairlead = start(first, ({ url }) =>
      watchWithFairlead(stage.service, { url, ...stage.fairlead }),
    );
    const npm = start(second, ({ url }) => watchWithNpmClient(stage.service, url, stage.npm));
    const sides = [fairlead, npm];
    open.push(...sides.map(({ watcher }) => watcher));
    return await live(scene, stage, all, { fairlead, npm }, patience);
  } finally {
    for (const one of open.reverse()) await one.close();
  }
}

function start(proxy: HttpProxy, watch: (proxy: HttpProxy) => Watcher): Side {
  const leftovers = countLeftovers();
  return { watcher: leftovers.within(() => watch(proxy)), proxy, leftovers };
}

async function live(
  scene: Scene,
  stage: Stage,
  proxies: Proxies,
  sides: { readonly fairlead: Side; readonly npm: Side },
  patience: Patience,
): Promise<FaultFigures> {
  const { fairlead, npm } = sides;
  const both = [fairlead, npm];
  const fromStart = scene.fromStart === true;
  if (!fromStart) {
    await until('both watchers have the list', 20_000, () =>
      both.every(({ watcher }) => watcher.record.is(BEFORE)),
    );
  }
  const struckMs = fromStart ? performance.now() - CHANGE_AFTER_MS : performance.now();
  const requestsBefore = both.map(({ proxy }) => (fromStart ? 0 : proxy.requestCount));
  if (!fromStart) await stage.strike(proxies);
  const lastsMs = patience.isFull ? (scene.fullMs ?? scene.lastsMs) : scene.lastsMs;
  if (stage.change !== undefined) {
    await sleep(CHANGE_AFTER_MS);
    await stage.change();
  }
  const leftMs = struckMs + lastsMs - performance.now();
  if (leftMs > 0) await sleep(leftMs);

  await stage.cure(proxies);
  if (scene.isForGood !== true) await truth(stage);
  const curedMs = performance.now();
  const requests = both.map(({ proxy }, i) => proxy.requestCount - (requestsBefore[i] ?? 0));

  if (scene.isForGood !== true) {
    const isRight =
      ({ watcher: { record } }: Side) =>
      (): boolean => {
        const since = record.sinceMs(AFTER);
        return since !== undefined && performance.now() - since > STAYS_RIGHT_MS;
      };
    await passes(patience.fairleadMs, isRight(fairlead));
    await passes(patience.npmMs, () => isRight(npm)() || !npm.watcher.isAlive);
  }
  const endedMs = performance.now();
  const [ofFairlead = 0, ofNpm = 0] = requests;
  const span = { struckMs, curedMs, endedMs };
  const saw = both.map((side) => ({ isAlive: side.watcher.isAlive }));
  await Promise.all(both.map(({ watcher }) => watcher.close()));
  await passes(CLOSES_WITHIN_MS, () =>
    both.every(({ leftovers, proxy }) => leftovers.sockets + leftovers.timers + proxy.open === 0),
  );
  const figuresOf = (side: Side, made: number, isAlive: boolean): WatcherFigures =>
    measure(side, { ...span, hadList: !fromStart, requests: made, isAlive }, stage.secrets ?? []);
  return {
    fault: scene.fault,
    lastedMs: curedMs - struckMs,
    isForGood: scene.isForGood === true,
    fairlead: figuresOf(fairlead, ofFairlead, saw[0]?.isAlive === true),
    npm: figuresOf(npm, ofNpm, saw[1]?.isAlive === true),
  };
}

interface Span {
  readonly struckMs: number;
  readonly curedMs: number;
  readonly endedMs: number;
  readonly hadList: boolean;
  readonly requests: number;
  readonly isAlive: boolean;
}

function measure(
  { watcher, leftovers, proxy }: Side,
  { struckMs, curedMs, endedMs, hadList, requests, isAlive }: Span,
  secrets: readonly string[],
): WatcherFigures {
  const { record } = watcher;
  const during = (holds: (ids: readonly string[]) => boolean): number =>
    record.durationMs(struckMs, endedMs, holds);
  const since = record.sinceMs(AFTER);
  const said = (wanted: (kind: Saying['kind']) => boolean): string[] => [
    ...new Set(
      watcher.said
        .filter(({ atMs, kind }) => wanted(kind) && atMs >= struckMs && atMs <= endedMs)
        .map(({ text }) => text)
        .reverse(),
    ),
  ];
  const output = watcher.output();
  return {
    hadList,
    emptyMs: during((ids) => ids.length === 0),
    lackingMs: during((ids) => ids.length > 0 && !LIVING.every((id) => ids.includes(id))),
    rightAfterMs: since === undefined ? undefined : Math.max(0, since - curedMs),
    waitedMs: endedMs - curedMs,
    requests,
    statuses: said((kind) => kind === 'status'),
    events: said((kind) => kind !== 'status'),
    isAlive,
    left: {
      sockets: Math.max(leftovers.sockets, proxy.open),
      timers: leftovers.timers,
    },
    leaksSecret: secrets.some((secret) => output.includes(secret)),
  };
}

/** Waits until the agent itself, asked past the proxies, gives the list as it should be. */
async function truth({ url, service, token }: Stage): Promise<void> {
  const endMs = performance.now() + TRUTH_WITHIN_MS;
  while ((await instancesAt(url, service, token))?.join() !== AFTER.join()) {
    if (performance.now() > endMs) throw new Error('the agent did not give the right list in 60 s');
    await sleep(20);
  }
}

/** Whether `holds` came true within so many ms. */
async function passes(withinMs: number, holds: () => boolean): Promise<boolean> {
  const endMs = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > endMs) return false;
    await sleep(10);
  }
  return true;
}

async function until(what: string, withinMs: number, holds: () => boolean): Promise<void> {
  if (!(await passes(withinMs, holds))) throw new Error(`not within ${withinMs} ms: ${what}`);
}
