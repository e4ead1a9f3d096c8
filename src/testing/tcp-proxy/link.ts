import type { Socket } from 'node:net';
import type { Env, Timer } from '../../types.js';
import type { CutOptions, TcpFaults } from './faults.js';
import { Pipe, type PipeRules, reset } from './pipe.js';

/** Which way: to the target, or from it. */
export type Direction = 'requests' | 'replies';

export interface LinkHooks {
  /** So many bytes were passed on. */
  readonly passed: (direction: Direction, bytes: number) => void;
  /** Both sides are closed. */
  readonly over: () => void;
}

/** Long enough for the client to read the bytes before a reset: libuv takes one that it finds right behind bytes for an end. */
const READ_MS = 5;

/** A client's connection, and the one to the target that serves it. */
export class Link {
  readonly #requests: Pipe;
  readonly #replies: Pipe;
  #cut: CutOptions | undefined;
  #isStopped = false;
  #timer: Timer | undefined;

  constructor(
    private readonly client: Socket,
    private readonly target: Socket,
    faults: TcpFaults,
    private readonly env: Env,
    private readonly hooks: LinkHooks,
  ) {
    const pipe = (direction: Direction, from: Socket, to: Socket): Pipe => {
      const passed = (bytes: number): void => {
        hooks.passed(direction, bytes);
      };
      return new Pipe(from, to, rulesOf(faults, direction), env, { passed, spent: this.#onSpent });
    };
    this.#cut = faults.cut;
    this.#requests = pipe('requests', client, target);
    this.#replies = pipe('replies', target, client);
    this.#onClose(client, this.#requests);
    this.#onClose(target, this.#replies);
  }

  apply(faults: TcpFaults): void {
    if (this.#isStopped) return;
    this.#cut = faults.cut;
    if (isAtOnce(faults.cut)) {
      this.stop();
      cutOff(this.client, faults.cut);
      reset(this.target);
      return;
    }
    this.#requests.apply(rulesOf(faults, 'requests'));
    this.#replies.apply(rulesOf(faults, 'replies'));
  }

  /** Passes on nothing any more; leaves no timer. */
  stop(): void {
    this.#isStopped = true;
    this.#requests.stop();
    this.#replies.stop();
    this.#timer?.cancel();
  }

  /** A side that closes without a proper end takes the other with it, once that is to hear of it. */
  #onClose(socket: Socket, toOther: Pipe): void {
    socket.once('close', () => {
      if (!socket.readableEnded || !socket.writableFinished) toOther.fail();
      if (!this.client.closed || !this.target.closed) return;
      this.stop();
      this.hooks.over();
    });
  }

  readonly #onSpent = (): void => {
    const { client } = this;
    this.stop();
    reset(this.target);
    if (this.#cut?.by === 'end') {
      cutOff(client, this.#cut);
      return;
    }
    // The bytes before the cut are to arrive, and a reset would overtake what is not written yet.
    client.write(Buffer.alloc(0), () => {
      if (client.destroyed) return;
      this.#timer = this.env.clock.setTimer(READ_MS, () => {
        reset(client);
      });
    });
  };
}

/** Ends a client's connection. What it still sends is read: one closed with bytes unread is reset. */
export function cutOff(client: Socket, { by = 'reset' }: CutOptions = {}): void {
  if (by === 'reset') reset(client);
  else client.end().resume();
}

/** True for a cut that waits for nothing. */
export function isAtOnce(cut: CutOptions | undefined): cut is CutOptions {
  return cut !== undefined && cut.afterBytes === undefined;
}

function rulesOf(faults: TcpFaults, direction: Direction): PipeRules {
  const { latencyMs = 0, jitterMs = 0, bytesPerSecond = Infinity, stall, cut } = faults;
  return {
    latencyMs,
    jitterMs,
    bytesPerSecond,
    isStalled: stall === 'both' || stall === direction,
    leftBytes: direction === 'replies' ? (cut?.afterBytes ?? Infinity) : Infinity,
  };
}
