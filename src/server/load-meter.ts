import type { LoopTimes } from './event-loop.js';

/** How many marks a window holds: a reading covers between nine and ten tenths of it. */
const STEPS = 10;

/** The totals since the start, as they stood at a time. */
interface Mark {
  readonly atMs: number;
  readonly served: number;
  readonly failed: number;
  /** Requests in flight, added up over time, in request milliseconds. */
  readonly busyMs: number;
  readonly loop: LoopTimes;
}

/** Averages over the window. */
export interface Load {
  /** Requests answered, per second. */
  readonly requestsPerSecond: number;
  /** Of those, answered with a status of 500 or above, per second. */
  readonly errorsPerSecond: number;
  /** Requests in flight, the mean over time. */
  readonly inFlight: number;
  /** Part of its time that the event loop worked, 0 to 1. */
  readonly eventLoop: number;
}

/**
 * Counts requests, and tells the averages over the last `windowMs`. All of them are over the same time, for clients divide
 * one by the other. No timer: marks are set by requests that begin and end.
 */
export class LoadMeter {
  readonly #windowMs: number;
  readonly #loopTimes: () => LoopTimes;
  #inFlight = 0;
  #served = 0;
  #failed = 0;
  #busyMs = 0;
  #atMs: number;
  /** Oldest first; never empty. */
  readonly #marks: Mark[];
  #nextMarkMs: number;

  constructor(windowMs: number, nowMs: number, loopTimes: () => LoopTimes) {
    this.#windowMs = windowMs;
    this.#loopTimes = loopTimes;
    this.#atMs = nowMs;
    this.#marks = [this.#mark()];
    this.#nextMarkMs = nowMs + windowMs / STEPS;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  begin(nowMs: number): void {
    this.#moveTo(nowMs);
    this.#inFlight++;
  }

  /** One that was not answered at all, because who asked has left, is neither served nor failed. */
  end(nowMs: number, outcome: 'served' | 'failed' | 'abandoned'): void {
    this.#moveTo(nowMs);
    this.#inFlight--;
    if (outcome !== 'abandoned') this.#served++;
    if (outcome === 'failed') this.#failed++;
  }

  /** `undefined` while there is less than a tenth of a window to tell of, at the start or after a quiet time. */
  load(nowMs: number): Load | undefined {
    this.#moveTo(nowMs);
    const now = this.#mark();
    const since = this.#marks[0] ?? now;
    const ms = now.atMs - since.atMs;
    if (ms < this.#windowMs / STEPS) return undefined;
    const activeMs = now.loop.active - since.loop.active;
    const loopMs = activeMs + now.loop.idle - since.loop.idle;
    return {
      requestsPerSecond: ((now.served - since.served) / ms) * 1_000,
      errorsPerSecond: ((now.failed - since.failed) / ms) * 1_000,
      inFlight: (now.busyMs - since.busyMs) / ms,
      eventLoop: loopMs > 0 ? activeMs / loopMs : 0,
    };
  }

  #moveTo(nowMs: number): void {
    this.#busyMs += this.#inFlight * (nowMs - this.#atMs);
    this.#atMs = nowMs;
    if (nowMs < this.#nextMarkMs) return;
    this.#marks.push(this.#mark());
    // What happened between two marks is known only as a whole: an old one is of no use, however near the next is.
    while ((this.#marks[0]?.atMs ?? nowMs) < nowMs - this.#windowMs) this.#marks.shift();
    this.#nextMarkMs = nowMs + this.#windowMs / STEPS;
  }

  #mark(): Mark {
    return {
      atMs: this.#atMs,
      served: this.#served,
      failed: this.#failed,
      busyMs: this.#busyMs,
      loop: this.#loopTimes(),
    };
  }
}
