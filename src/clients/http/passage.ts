import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import { Cancellation } from '../../cancellation.js';
import type { ClientView } from '../../client-view.js';
import { realEnv } from '../../env.js';
import { isFairleadError } from '../../errors.js';
import type { Lease } from '../../lease.js';
import type { Clock, Outcome, Verdict } from '../../types.js';
import { addressAgent } from '../address-agent.js';
import { closeOnceDrained } from '../idle-sockets.js';
import { LeasedRequest } from './leased-request.js';
import { firstList } from './first-list.js';
import type { InnerAgents } from './inner-agents.js';
import { isTimeout, judgeFor, withEvidence } from './judge.js';
import { addRequest, asAgentSees, onDestroy, type SentOptions } from './node-internals.js';
import { tlsName, type TlsName } from './tls-name.js';
import { type Connected, isConnecting, whenConnected } from './when-connected.js';

export interface PassageDeps {
  readonly client: ClientView;
  readonly agents: InnerAgents;
  /** The host name of the URL. */
  readonly hostname: string;
  readonly isSecure: boolean;
  readonly hashKey: string | undefined;
  readonly connectTimeoutMs: number;
  /** Told when the request is over. */
  readonly onOver: () => void;
}

/** Where a client's own options are out of reach. */
const MAX_ATTEMPTS = 3;

/**
 * The way of one request to an instance: waits for the first list, picks, and has the agent behind find or make a
 * connection. The request is given only one that stands: until then nothing of it was sent, so that an instance that
 * cannot be reached costs no request, of whatever method or body, while there is another.
 */
export class Passage {
  readonly #cancellation = new Cancellation();
  readonly #excluded: string[] = [];
  readonly #clock: Clock;
  readonly #maxAttempts: number;
  readonly #attemptTimeoutMs: number | undefined;
  readonly #onSocket: (socket: Socket | null, error?: Error) => void;
  readonly #stopListening: () => void;
  #lease: Lease | undefined;
  /** The connection that is being made, and how to stop waiting for it. */
  #connecting: { readonly socket: Socket; readonly stop: () => void } | undefined;
  /** Why the last instance could not be reached. */
  #failure: Error | undefined;
  /** It has a connection, or never will have. */
  #isOver = false;

  constructor(
    private readonly request: ClientRequest,
    private readonly options: SentOptions,
    private readonly deps: PassageDeps,
  ) {
    const { inside } = deps.client;
    this.#clock = (inside?.env ?? realEnv()).clock;
    this.#maxAttempts = inside?.options.maxAttempts ?? MAX_ATTEMPTS;
    this.#attemptTimeoutMs = inside?.options.attemptTimeoutMs;
    const asked = asAgentSees(request);
    this.#onSocket = asked.onSocket;
    this.#stopListening = onDestroy(request, this.#onDestroy);
    asked.onSocket = this.#take;
  }

  begin(): void {
    // By a signal that had aborted before: nothing tells of that any more.
    if (this.request.destroyed) this.#onDestroy(undefined);
    else this.#choose();
  }

  /** Ends the request, wherever it is. */
  destroy(reason: Error): void {
    this.request.destroy(reason);
  }

  #choose(): void {
    const { client, hashKey } = this.deps;
    let lease: Lease;
    try {
      const excluded = this.#excluded.length === 0 ? undefined : this.#excluded;
      lease = client.pick({ hashKey, excluded });
    } catch (error) {
      const isTooEarly = isFairleadError(error) && error.code === 'ERR_FAIRLEAD_NOT_READY';
      if (isTooEarly && this.#failure === undefined) void this.#wait();
      else this.#fail(this.#failure ?? (error as Error));
      return;
    }
    this.#goTo(lease);
  }

  async #wait(): Promise<void> {
    try {
      await firstList(this.deps.client, this.#cancellation.signal);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    if (!this.#isOver) this.#choose();
  }

  #goTo(lease: Lease): void {
    this.#lease = lease;
    const { request, options, deps } = this;
    const { host, port, protocol } = lease.instance;
    // A caller's `https://orders` is never sent in the clear.
    const isSecure = deps.isSecure || protocol === 'https';
    const { address, ...name }: TlsName = isSecure
      ? tlsName(request, options, {
          hostname: deps.hostname,
          service: deps.client.tlsServername,
        })
      : {};
    const usual = isSecure ? deps.agents.https : deps.agents.http;
    const agent = address === undefined ? usual : addressAgent(usual, address);
    const there: SentOptions = {
      ...options,
      host,
      hostname: host,
      port,
      protocol: isSecure ? 'https:' : 'http:',
      // Older agents of proxies (agent-base before 7) look for https in the stack of the call, which is not there.
      secureEndpoint: isSecure,
      defaultPort: isSecure ? 443 : 80,
      ...name,
    };
    try {
      addRequest(agent, request, there);
    } catch (error) {
      this.#giveUp(error as Error); // options that TLS cannot be done with
      return;
    }
    closeOnceDrained(deps.client, request);
  }

  /** In place of the request's `onSocket`. */
  readonly #take = (socket: Socket | null, error?: Error): void => {
    if (this.#isOver) {
      // It had waited for its turn, and was given up.
      if (socket !== null && !socket.destroyed) socket.emit('free');
    } else if (error !== undefined || socket === null) {
      this.#miss(error ?? new Error('The agent has no socket.'), socket);
    } else if (isConnecting(socket)) this.#connect(socket);
    else this.#handOver(socket);
  };

  #connect(socket: Socket): void {
    const { connectTimeoutMs } = this.deps;
    const { host = '', port = 0 } = this.#lease?.instance ?? {};
    const timeoutMs = Math.min(connectTimeoutMs, this.#attemptTimeoutMs ?? Infinity);
    const done = (end: Connected): void => {
      this.#connecting = undefined;
      if (end === 'connected') this.#handOver(socket);
      else if (end === 'closed') this.#giveUp(hangUp());
      else this.#miss(end, socket);
    };
    const stop = whenConnected(socket, { host, port, timeoutMs, clock: this.#clock }, done);
    this.#connecting = { socket, stop };
  }

  /** The instance was not reached: another may be. */
  #miss(error: Error, socket: Socket | null): void {
    const lease = this.#lease;
    if (lease === undefined) return;
    this.#failure = error;
    let verdict: Verdict;
    try {
      const evidence = withEvidence(error, { socket });
      verdict = judgeFor(this.deps.client, lease.instance)({ ok: false, error: evidence });
    } catch (thrown) {
      this.#giveUp(thrown as Error); // a broken `classify` is the application's fault
      return;
    }
    this.#excluded.push(lease.instance.id);
    this.#endLease(verdict.outcome, verdict.retryAfterMs);
    const isLast = verdict.retry === 'never' || this.#excluded.length >= this.#maxAttempts;
    if (isLast) this.#fail(error);
    else this.#choose();
  }

  #handOver(socket: Socket): void {
    const { request, deps } = this;
    const lease = this.#lease;
    if (lease === undefined) return;
    this.#leave();
    this.#lease = undefined;
    new LeasedRequest(request, socket, {
      lease,
      judge: judgeFor(deps.client, lease.instance),
      clock: this.#clock,
      attemptTimeoutMs: this.#attemptTimeoutMs,
      onOver: deps.onOver,
    });
    asAgentSees(request).onSocket = this.#onSocket;
    asAgentSees(request).onSocket(socket);
  }

  readonly #onDestroy = (error: Error | undefined): void => {
    const connecting = this.#connecting;
    connecting?.stop();
    this.#leave();
    this.#cancellation.abort(error);
    // While it waits for its turn the instance has not been asked for anything.
    this.#endLease(connecting !== undefined && isTimeout(error) ? 'failure' : 'ignored');
    this.deps.onOver();
    // Destroyed as it is, it ends itself now. The connection goes to the next.
    this.#onSocket.call(this.request, connecting?.socket ?? null);
  };

  #giveUp(error: Error): void {
    this.#endLease('ignored');
    this.#fail(error);
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#leave();
    this.deps.onOver();
    this.#onSocket.call(this.request, null, error);
  }

  #leave(): void {
    this.#isOver = true;
    this.#stopListening();
  }

  #endLease(outcome: Outcome, retryAfterMs?: number): void {
    const lease = this.#lease;
    this.#lease = undefined;
    lease?.end(outcome, retryAfterMs);
  }
}

/** As Node says it of a connection that this side has closed. */
function hangUp(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
}
