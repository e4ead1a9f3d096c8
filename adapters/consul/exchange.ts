import { EventEmitter } from 'node:events';
import type { WatchContext } from '../../src/types.js';
import { AgentError } from './agent-error.js';
import type { ConsulContext } from './client.js';
import type { Connection } from './connection.js';

export interface ExchangeLimits {
  /** For the whole reply, body included: the npm client has no such limit, and its own keeps the process alive. */
  readonly deadlineMs: number;
  /** Registers what gives the exchange up before its time; `undefined` takes it back. */
  readonly onGiveUp: (giveUp: (() => void) | undefined) => void;
}

/**
 * Runs one request and settles in any case: with what `send` settles with, with `'given-up'`, or with an
 * error when the deadline passes, the socket closes inside the reply, or the watch is aborted. Afterwards
 * no timer and no listener of it is left, and a request that was given up has lost its socket.
 */
export function exchange(
  send: (ctx: ConsulContext) => Promise<unknown>,
  connection: Pick<Connection, 'onClosed'>,
  { signal, clock }: Pick<WatchContext, 'signal' | 'clock'>,
  { deadlineMs, onGiveUp }: ExchangeLimits,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ctx = new CancelContext();
    const giveUp = (settle: () => void): void => {
      finish();
      ctx.cancel();
      settle();
    };
    const onAbort = (): void => {
      giveUp(() => {
        reject(signal.reason as Error);
      });
    };
    const fail = (message: string): void => {
      giveUp(() => {
        reject(new AgentError(message));
      });
    };
    let finished = false;
    const finish = (): void => {
      // What was given up may settle long after; the hooks are then another exchange's.
      if (finished) return;
      finished = true;
      deadline.cancel();
      connection.onClosed(undefined);
      onGiveUp(undefined);
      signal.removeEventListener('abort', onAbort);
    };

    const deadline = clock.setTimer(deadlineMs, () => {
      fail(`no whole reply within ${String(deadlineMs / 1_000)} s`);
    });
    signal.addEventListener('abort', onAbort);
    connection.onClosed(() => {
      // Node tells the end of a whole reply, and every other error, before the close.
      fail('the connection closed inside the reply');
    });
    onGiveUp(() => {
      giveUp(() => {
        resolve('given-up');
      });
    });
    send(ctx).then(
      (value) => {
        finish();
        resolve(value);
      },
      (error: unknown) => {
        finish();
        reject(error);
      },
    );
  });
}

/** What the npm client calls `ctx`. */
class CancelContext extends EventEmitter implements ConsulContext {
  canceled = false;

  cancel(): void {
    this.canceled = true;
    this.emit('cancel');
  }
}
