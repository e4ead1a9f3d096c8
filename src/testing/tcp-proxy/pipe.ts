import type { Socket } from 'node:net';
import type { Env, Timer } from '../../types.js';

/** What is done to one direction. */
export interface PipeRules {
  readonly latencyMs: number;
  readonly jitterMs: number;
  readonly bytesPerSecond: number;
  readonly isStalled: boolean;
  /** So many bytes pass; in place of the next the connection is cut. */
  readonly leftBytes: number;
}

export interface PipeHooks {
  /** So many bytes were passed on. */
  passed(bytes: number): void;
  /** `leftBytes` have passed, and there are more. */
  spent(): void;
}

/** Bytes on their way, or how the stream ended. */
interface Parcel {
  readonly what: Buffer | 'end' | 'reset';
  readonly dueMs: number;
}

/** More than this on its way is not read: the sender feels that the receiver is slow, as it would without a proxy. */
const MOST_QUEUED_BYTES = 1_048_576;
/** Bounded bandwidth passes in slices of so many ms, */
const SLICE_MS = 10;
/** and goes ahead of it by no more than timers are exact. */
const AHEAD_MS = 1;

/** One direction of a connection: what `from` sends, and how that ends, reaches `to` in order. */
export class Pipe {
  #rules: PipeRules;
  #leftBytes: number;
  readonly #parcels: Parcel[] = [];
  #queuedBytes = 0;
  #lastDueMs = -Infinity;
  /** When the bandwidth is free again. */
  #freeAtMs = -Infinity;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    rules: PipeRules,
    private readonly env: Env,
    private readonly hooks: PipeHooks,
  ) {
    this.#rules = rules;
    this.#leftBytes = rules.leftBytes;
    from.on('data', (bytes) => {
      this.#push(bytes);
    });
    from.once('end', () => {
      this.#push('end');
    });
    to.on('drain', this.#pump);
    this.#pump();
  }

  /** Other rules from now on. Bytes on their way arrive when they would have. */
  apply(rules: PipeRules): void {
    this.#rules = rules;
    this.#leftBytes = rules.leftBytes;
    this.#pump();
  }

  /** `from` is gone without a proper end. */
  fail(): void {
    this.#push('reset');
  }

  /** Passes on nothing any more; what still comes is read and forgotten. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#parcels.length = 0;
    this.from.resume();
  }

  #push(what: Parcel['what']): void {
    if (this.#isStopped) return;
    const { latencyMs, jitterMs } = this.#rules;
    const delayMs = latencyMs + (jitterMs > 0 ? this.env.rng.next() * jitterMs : 0);
    this.#lastDueMs = Math.max(this.#lastDueMs, this.env.clock.now() + delayMs);
    this.#parcels.push({ what, dueMs: this.#lastDueMs });
    if (typeof what !== 'string') this.#queuedBytes += what.length;
    this.#pump();
  }

  readonly #pump = (): void => {
    this.#timer?.cancel();
    for (;;) {
      const parcel = this.#parcels[0];
      if (this.#isStopped || this.#rules.isStalled || parcel === undefined) break;
      if (this.to.writableNeedDrain && !this.to.destroyed) break;
      const atMs = Math.max(parcel.dueMs, this.#freeAtMs - AHEAD_MS);
      const waitMs = atMs - this.env.clock.now();
      if (waitMs > 0) {
        this.#timer = this.env.clock.setTimer(waitMs, this.#pump);
        break;
      }
      this.#deliver(parcel);
    }
    const isHeld = this.#rules.isStalled || this.#queuedBytes >= MOST_QUEUED_BYTES;
    if (isHeld && !this.#isStopped) this.from.pause();
    else this.from.resume();
  };

  #deliver({ what, dueMs }: Parcel): void {
    if (typeof what === 'string') {
      this.#parcels.shift();
      if (what === 'end') this.to.end();
      else reset(this.to);
      return;
    }
    if (this.#leftBytes <= 0) {
      this.hooks.spent();
      return;
    }
    const { bytesPerSecond } = this.#rules;
    const sliceBytes = Math.max(1, Math.floor((bytesPerSecond * SLICE_MS) / 1_000));
    const bytes = what.subarray(0, Math.min(sliceBytes, this.#leftBytes));
    if (bytes.length === what.length) this.#parcels.shift();
    else this.#parcels[0] = { what: what.subarray(bytes.length), dueMs };
    this.#queuedBytes -= bytes.length;
    this.#leftBytes -= bytes.length;
    this.#freeAtMs =
      Math.max(this.#freeAtMs, this.env.clock.now()) + (bytes.length * 1_000) / bytesPerSecond;
    if (this.to.destroyed) return;
    this.hooks.passed(bytes.length);
    this.to.write(bytes);
  }
}

/** Closes it such that the other side sees a reset, where that is possible. */
export function reset(socket: Socket): void {
  // Before it is connected there is nothing to reset. In the midst of a shutdown libuv refuses to, and Node would let go
  // of the handle all the same, which then is never closed.
  const isShuttingDown = socket.writableEnded && !socket.writableFinished;
  if (socket.connecting || isShuttingDown) socket.destroy();
  else socket.resetAndDestroy();
}
