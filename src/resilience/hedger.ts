import type { ResolvedHedge } from '../resilience-options.js';

/** When a second attempt is sent beside a first one that is slow, and how many may be. One for all calls of a client. */
export class Hedger {
  constructor(private readonly options: ResolvedHedge) {}

  /** A call that may be hedged has begun. */
  noteCall(nowMs: number): void {
    void nowMs;
  }

  /** The first attempt of such a call has succeeded after `elapsedMs`, or was given up then for the hedge was done first. */
  observe(elapsedMs: number, nowMs: number): void {
    void [elapsedMs, nowMs];
  }

  /** Age at which a first attempt is hedged, in ms; `undefined` while too little is known. */
  delayMs(nowMs: number): number | undefined {
    void nowMs;
    return this.options.delayMs;
  }

  /** True while the cap leaves room for a hedge. */
  hasRoom(nowMs: number): boolean {
    void nowMs;
    return true;
  }

  /** A hedge is sent. */
  noteHedge(nowMs: number): void {
    void nowMs;
  }
}
