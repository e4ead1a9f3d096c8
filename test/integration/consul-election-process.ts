/**
 * A candidate in a process of its own. While it leads it writes to a store, carelessly: it only heeds its signal. It
 * tells its parent of its events, and right after it was stopped and continued, whether it takes itself for the leader.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { electLeader } from '../../adapters/consul/election.js';

export type CandidateMessage =
  | { readonly kind: 'elected'; readonly fencingToken: number }
  | { readonly kind: 'lost'; readonly reason: string }
  /** It stands by, and has seen who leads. */
  | { readonly kind: 'standing' }
  /** `written`: whether the store took what the process was about to write when it was stopped. */
  | { readonly kind: 'woke'; readonly isLeader: boolean; readonly written: boolean };

/** What else the parent may say ends the process in good order. */
export type CandidateCommand = 'resign' | 'close';

const [url = '', key = '', store = '', lockDelayMs = ''] = process.argv.slice(2);
const TICK_MS = 20;
const STOPPED_MS = 2_000;

const tell = (message: CandidateMessage): void => void process.send?.(message);

async function write(token: number): Promise<boolean> {
  const { ok } = await fetch(`${store}/?token=${token}&writer=${process.pid}`, { method: 'POST' });
  return ok;
}

const election = electLeader({
  url,
  key,
  value: String(process.pid),
  sessionTtlMs: 10_000,
  lockDelayMs: Number(lockDelayMs),
});
let token = 0;
election.on('elected', ({ fencingToken }) => {
  token = fencingToken;
  tell({ kind: 'elected', fencingToken });
});
election.on('lost', ({ reason }) => tell({ kind: 'lost', reason }));
void election.lead(async ({ signal, fencingToken }) => {
  while (!signal.aborted) {
    await write(fencingToken);
    await sleep(50);
  }
});

// The first timer to fire after a stop: the election's own come later.
let isStanding = false;
let lastMs = performance.now();
setInterval(() => {
  const nowMs = performance.now();
  const wasStopped = nowMs - lastMs > STOPPED_MS;
  lastMs = nowMs;
  if (!isStanding && !election.isLeader && election.leader !== undefined) {
    isStanding = true;
    tell({ kind: 'standing' });
  }
  if (!wasStopped) return;
  const { isLeader } = election;
  void write(token).then((written) => tell({ kind: 'woke', isLeader, written }));
}, TICK_MS);

process.on('message', (command: CandidateCommand) => {
  if (command === 'resign') void election.resign();
  else void election.close().then(() => process.exit());
});
