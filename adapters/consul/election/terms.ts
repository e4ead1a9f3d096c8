import type { WaitOptions } from '../../../src/abortable.js';
import { FairleadError, show } from '../../../src/errors.js';
import type { Clock } from '../../../src/types.js';
import type { ElectionEmitter, LostReason } from './election-events.js';
import type { Leadership } from './lead.js';
import type { LockSession } from './lock-session.js';

interface Term {
  readonly leadership: Leadership;
  readonly session: Pick<LockSession, 'isValid'>;
  readonly controller: AbortController;
  readonly startedAtMs: number;
}

/** The times for which one candidate leads, one after the other, and those who wait for the next. */
export class Terms {
  readonly #waiting = new Set<{ elected(leadership: Leadership): void; closed(): void }>();
  #term: Term | undefined;
  #closed = false;

  constructor(
    private readonly key: string,
    private readonly clock: Clock,
    private readonly events: ElectionEmitter,
  ) {}

  /** The term that has not been ended, though its session may have lapsed. */
  get isOpen(): boolean {
    return this.#term !== undefined;
  }

  /** The term that counts by the clock. */
  get current(): Leadership | undefined {
    return this.#term?.session.isValid() === true ? this.#term.leadership : undefined;
  }

  begin(fencingToken: number, session: Pick<LockSession, 'isValid'>): void {
    const controller = new AbortController();
    const leadership = { fencingToken, signal: controller.signal };
    this.#term = { leadership, session, controller, startedAtMs: this.clock.now() };
    for (const waiter of [...this.#waiting]) waiter.elected(leadership);
    this.events.emit('elected', { key: this.key, fencingToken });
  }

  /** Ends the term, if there is one. One that has lapsed has ended for that, whatever was found out since. */
  end(reason: LostReason): void {
    const term = this.#term;
    if (term === undefined) return;
    this.#term = undefined;
    term.controller.abort();
    this.events.emit('lost', {
      key: this.key,
      fencingToken: term.leadership.fencingToken,
      reason: term.session.isValid() ? reason : 'expired',
      ledMs: this.clock.now() - term.startedAtMs,
    });
  }

  /** Waits for a term that counts. Rejects on abort, and when there will be none. */
  whenCurrent({ signal }: WaitOptions = {}): Promise<Leadership> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#closed) throw closedError(this.key);
      if (this.current !== undefined) {
        resolve(this.current);
        return;
      }
      const stopWaiting = (): void => {
        this.#waiting.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        stopWaiting();
        reject(signal?.reason as Error);
      };
      const waiter = {
        elected: (leadership: Leadership) => {
          stopWaiting();
          resolve(leadership);
        },
        closed: () => {
          stopWaiting();
          reject(closedError(this.key));
        },
      };
      this.#waiting.add(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Ends the term, and there will be no other. */
  close(): void {
    this.#closed = true;
    this.end('closed');
    for (const waiter of [...this.#waiting]) waiter.closed();
  }
}

function closedError(key: string): FairleadError {
  return new FairleadError('ERR_FAIRLEAD_CLOSED', `The election ${show(key)} is closed.`);
}
