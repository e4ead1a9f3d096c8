import { errorMonitor } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { FairleadError } from '../../errors.js';
import type { Lease } from '../../lease.js';
import type { Clock, Outcome, Settled, Timer, Verdict } from '../../types.js';
import { reportLoad } from '../load-report.js';
import { isTimeout, type Judge, withEvidence } from './judge.js';
import { asAgentSees, onDestroy } from './node-internals.js';

export interface LeasedRequestDeps {
  readonly lease: Lease;
  readonly judge: Judge;
  readonly clock: Pick<Clock, 'setTimer'>;
  /** Time until the answer, in ms. */
  readonly attemptTimeoutMs: number | undefined;
  /** Told when the request is over, or its connection has become something else. */
  readonly onOver: () => void;
}

/**
 * A request on its connection, until its response has ended: then, and not before, its lease ends. One that the
 * instance answers with a failure, or with what says nothing of the instance, is over with its headers, as in a call.
 *
 * Listens in ways that change nothing: a request without a listener for its response or its errors is one still.
 */
export class LeasedRequest {
  readonly #timer: Timer | undefined;
  readonly #stopListening: () => void;
  #response: IncomingMessage | undefined;
  #isUpgraded = false;
  #hasTimedOut = false;
  #isOver = false;

  constructor(
    private readonly request: ClientRequest,
    private readonly socket: Socket,
    private readonly deps: LeasedRequestDeps,
  ) {
    const { attemptTimeoutMs, clock } = deps;
    request.prependListener('response', this.#onResponse);
    // Before those who destroy it then.
    request.prependListener('timeout', this.#onTimeout);
    request.on(errorMonitor, this.#onError).on('close', this.#onClose);
    socket.prependListener('close', this.#onSocketClose).on('agentRemove', this.#onTakenOut);
    this.#stopListening = onDestroy(request, this.#onDestroy);
    if (attemptTimeoutMs !== undefined) {
      this.#timer = clock.setTimer(attemptTimeoutMs, () => {
        this.#timeOut(attemptTimeoutMs);
      });
      this.#timer.unref();
    }
  }

  readonly #onResponse = (response: IncomingMessage): void => {
    // Node lets nobody's response flow away; that somebody listens is our doing.
    if (this.request.listenerCount('response') === 1) response.resume();
    if (this.#isOver || !this.#hear(response)) return;
    this.#response = response;
    response.on('end', this.#onEnd).on('close', this.#onResponseClose);
  };

  /** @returns true where the instance did well, so that the lease goes on. */
  #hear(response: IncomingMessage): boolean {
    const { lease } = this.deps;
    this.#timer?.cancel();
    // Nothing else is asked of an attempt there.
    reportLoad(lease, { get: (name) => response.headers[name] });
    const verdict = this.#judge({ ok: true, value: response });
    if (verdict.outcome === 'success') lease.answered();
    else this.#end(verdict.outcome, verdict.retryAfterMs);
    return !this.#isOver;
  }

  #judge(settled: Settled): Verdict {
    try {
      return this.deps.judge(settled);
    } catch (error) {
      // A broken `classify` is the application's fault.
      this.#end('ignored');
      this.request.destroy(error as Error);
      return { outcome: 'ignored', retry: 'never' };
    }
  }

  readonly #onEnd = (): void => {
    this.#end('success');
  };

  /** Before its end: the reader went away. A cut from the other side has been noticed by then. */
  readonly #onResponseClose = (): void => {
    this.#end(this.#response?.complete === true ? 'success' : 'ignored');
  };

  /** Upgraded, or a tunnel: from now on it is neither the agent's nor the request's. */
  readonly #onTakenOut = (): void => {
    const { res } = asAgentSees(this.request);
    if (res === null || this.#response !== undefined || !this.#hear(res)) return;
    this.#isUpgraded = true;
    this.deps.onOver();
  };

  readonly #onSocketClose = (hadError: boolean): void => {
    const response = this.#response;
    if (this.#isUpgraded) this.#end(hadError ? 'ignored' : 'success');
    else if (response?.complete === false && !response.destroyed) this.#end('failure');
  };

  readonly #onError = (error: Error): void => {
    if (this.#isOver || this.#response?.complete === true) return; // it came too late to matter
    if (this.#response?.destroyed === true) {
      this.#end('ignored'); // the reader went away, and said why: a cut from the other side destroys it later
      return;
    }
    const { outcome, retryAfterMs } = this.#judge({
      ok: false,
      error: withEvidence(error, this.request),
    });
    this.#end(outcome, retryAfterMs);
  };

  readonly #onTimeout = (): void => {
    this.#hasTimedOut = true;
  };

  readonly #onDestroy = (error: Error | undefined): void => {
    if (this.#response !== undefined) this.#onResponseClose();
    else {
      // Who was still writing may have been slow itself.
      const isSlow = this.request.writableEnded && (this.#hasTimedOut || isTimeout(error));
      this.#end(isSlow ? 'failure' : 'ignored');
    }
  };

  readonly #onClose = (): void => {
    if (this.#response === undefined && !this.#isUpgraded) this.#end('ignored');
  };

  #timeOut(ms: number): void {
    const { lease } = this.deps;
    this.#end('failure');
    const message = `Instance "${lease.instance.id}" did not answer within attemptTimeoutMs ${String(ms)}.`;
    const cause = new FairleadError('ERR_FAIRLEAD_ATTEMPT_TIMEOUT', message);
    // The code that libraries retry.
    this.request.destroy(Object.assign(new Error(message, { cause }), { code: 'ETIMEDOUT' }));
  }

  #end(outcome: Outcome, retryAfterMs?: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#stopListening();
    // The connection goes to the next request; the listeners of this one, and of its response, go with them.
    this.socket.off('close', this.#onSocketClose).off('agentRemove', this.#onTakenOut);
    this.deps.onOver();
    this.deps.lease.end(outcome, retryAfterMs);
  }
}
