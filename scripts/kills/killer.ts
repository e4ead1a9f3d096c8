import { setTimeout as sleep } from 'node:timers/promises';
import type { Rng } from 'fairlead';
import type { Fleet } from './fleet.js';

const EVERY_MS = 1_000;

/**
 * Kills one of the servers once a second, any of them, and starts it again at once.
 *
 * A call that meets as many kills as it has attempts cannot but fail. No kill comes therefore before the calls are over that
 * began before the last one was mended. They take half a second, so that bounds nothing, unless the machine is so busy that
 * it takes seconds to start a server; such delays are counted.
 */
export class Killer {
  kills = 0;
  /** Kills that did not come at their second. */
  delayed = 0;
  /** From the kill until it listens again, in ms. */
  readonly downMs: number[] = [];

  /** @param oldestMs when the oldest call in flight began. */
  constructor(
    private readonly fleet: Fleet,
    private readonly rng: Rng,
    private readonly oldestMs: () => number,
  ) {}

  /** Resolves when so many servers have been killed and are up again. */
  async atLeast(kills: number): Promise<void> {
    while (this.downMs.length < kills) await sleep(10);
  }

  /** Until `signal` aborts; then all servers are up. */
  async run(signal: AbortSignal): Promise<void> {
    const { members } = this.fleet;
    const pause = (ms: number): Promise<unknown> =>
      sleep(Math.max(0, ms), undefined, { signal }).catch(() => undefined);
    let mendedMs = -Infinity;
    for (let nextMs = performance.now() + EVERY_MS; ; nextMs += EVERY_MS) {
      await pause(nextMs - performance.now());
      if (this.oldestMs() < mendedMs || performance.now() > nextMs + EVERY_MS) {
        this.delayed++;
        while (this.oldestMs() < mendedMs && !signal.aborted) await pause(10);
        nextMs = performance.now();
      }
      const member = members[Math.floor(this.rng.next() * members.length)];
      if (signal.aborted || member === undefined) return;
      const killedMs = performance.now();
      this.kills++;
      await member.kill();
      await member.start();
      mendedMs = performance.now();
      this.downMs.push(mendedMs - killedMs);
    }
  }
}
