import { openSync, readSync } from 'node:fs';
import { monotonicMs } from './monotonic.js';

/** In ms. */
export interface Block {
  /** For how long the event loop did not come round. */
  readonly wallMs: number;
  /** Less the time in which this process was ready, but others had the cores. */
  readonly ownMs: number;
}

export interface LoopGaps {
  /** The longest block since the last call, by each measure. */
  longest(): Block;
  /** For how long now it has not stood still for `ms` or more. */
  quietForMs(ms: number): number;
}

/** Longer blocks than this are looked at. */
const SHORTEST_MS = 2;

/** Watches the event loop through a timer of 1 ms: what comes later than that was held up. */
export function watchLoop(): LoopGaps {
  const sinceMs = monotonicMs();
  let last = { atMs: sinceMs, waitedMs: waitedMs() };
  let longest: Block = { wallMs: 0, ownMs: 0 };
  /** When the loop last stood still, by length of the block in whole ms. */
  const stoodStill = new Map<number, number>();
  const timer = setInterval(() => {
    const now = { atMs: monotonicMs(), waitedMs: waitedMs() };
    const wallMs = Math.max(0, now.atMs - last.atMs - 1);
    const ownMs = Math.max(0, wallMs - (now.waitedMs - last.waitedMs));
    last = now;
    longest = {
      wallMs: Math.max(longest.wallMs, wallMs),
      ownMs: Math.max(longest.ownMs, ownMs),
    };
    if (wallMs >= SHORTEST_MS) stoodStill.set(Math.floor(wallMs), now.atMs);
  }, 1);
  timer.unref();
  return {
    longest() {
      const block = longest;
      longest = { wallMs: 0, ownMs: 0 };
      return block;
    },
    quietForMs(ms) {
      const blocks = [...stoodStill].filter(([blockMs]) => blockMs >= ms);
      return monotonicMs() - Math.max(sinceMs, ...blocks.map(([, atMs]) => atMs));
    },
  };
}

/** Where Linux keeps for how long the main thread was ready without a core, in ns: the second of three numbers. */
const schedstat = openSchedstat();
const text = Buffer.alloc(128);

function openSchedstat(): number | undefined {
  try {
    return openSync('/proc/self/schedstat', 'r');
  } catch {
    return undefined; // not Linux: both measures are the same
  }
}

function waitedMs(): number {
  if (schedstat === undefined) return 0;
  const length = readSync(schedstat, text, 0, text.length, 0);
  return Number(text.toString('latin1', 0, length).split(' ')[1]) / 1e6;
}
