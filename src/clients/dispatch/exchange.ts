import type { AttemptContext } from '../../attempt-context.js';
import { type CallOptions, checkCallOptions } from '../../call-options.js';
import type { Caller, Settling } from '../../caller.js';
import { Cancellation } from '../../cancellation.js';
import type { ClientView } from '../../client-view.js';
import { classify, unsent } from '../../resilience/classify.js';
import type { Instance, Settled, Verdict } from '../../types.js';
import { deadlineValue } from '../deadline-header.js';
import { LOAD_HEADERS, reportLoad } from '../load-report.js';
import { type FairleadRequestOptions, requestOptions } from '../request-options.js';
import type { Wrapping } from '../wrap-options.js';
import { bodyOf, NO_BODY } from './body.js';
import { requestHeader, withDefault } from './headers.js';
import type { Flow, Listener } from './listener.js';
import { callFor } from './call-for.js';
import type { Reply, ReplyOwner } from './reply.js';
import { replyFor } from './replies.js';
import { hashRequestOf, mayRepeat } from './request.js';
import { RequestAbortedError } from './request-aborted-error.js';
import type { Body, DispatchOptions, Sender } from './types.js';

const LOAD_HEADER_LENGTHS = LOAD_HEADERS.map(({ length }) => length);

/** What a request is sent with. */
export interface ExchangeDeps {
  readonly wrapping: Wrapping;
  readonly client: ClientView;
  /** Of the URL asked for. */
  readonly origin: URL;
  readonly sender: Sender;
}

/**
 * One request: a call of the client, whose attempts are dispatched to the instances picked. It is the call's options, too:
 * one object less for each request.
 */
export class Exchange extends Cancellation implements Flow, Caller, CallOptions, ReplyOwner {
  readonly idempotent: boolean;
  readonly hashKey: string | undefined;
  /** What the request asks for itself. */
  readonly #own: FairleadRequestOptions;
  readonly #body: Body;
  /** Headers of the request that all attempts have in common. */
  readonly #headers: unknown;
  readonly #isSecure: boolean;
  #isBodyUsed = false;
  /** What attempts ended with that had not begun to send. */
  #unsent: Set<unknown> | undefined;
  #reply: Reply | undefined;
  /** Of the last attempt, whose body is not replayable. */
  #latest: Reply | undefined;
  #isTold = false;

  /** @throws {InvalidOptionError} naming what of the request's own options is wrong; what the hash key's function throws. */
  constructor(
    private readonly options: DispatchOptions,
    readonly listener: Listener,
    private readonly deps: ExchangeDeps,
  ) {
    super();
    const { origin, wrapping } = deps;
    const { body } = options;
    this.#body =
      body === undefined || body === null
        ? NO_BODY
        : bodyOf(options, () => this.#latest?.hasFailed === true);
    this.#headers = withDefault(options.headers, 'host', origin.host);
    this.#isSecure = origin.protocol === 'https:';
    const own = options.fairlead === undefined ? NO_OPTIONS : ownOptions(options.fairlead);
    this.#own = own;
    this.idempotent = this.#body.isReplayable && (own.idempotent ?? mayRepeat(options));
    this.hashKey = own.hashKey ?? wrapping.readHashKey?.(hashRequestOf(options, origin));
  }

  get timeoutMs(): number | undefined {
    return this.#own.timeoutMs;
  }

  get attemptTimeoutMs(): number | undefined {
    return this.#own.attemptTimeoutMs;
  }

  get hedge(): boolean | undefined {
    return this.#own.hedge;
  }

  get classify(): CallOptions['classify'] {
    return this.#own.classify;
  }

  get onAttempt(): CallOptions['onAttempt'] {
    return this.#own.onAttempt;
  }

  get discard(): (settled: Settled) => void {
    return discard;
  }

  /** A body that cannot be sent again holds until an attempt has begun to send it. */
  get replayable(): boolean {
    return this.#body.isReplayable || !this.#isBodyUsed;
  }

  get isReplayable(): boolean {
    return this.#body.isReplayable;
  }

  get takesThrow(): boolean {
    return this.deps.sender.takesThrow === true;
  }

  run(): void {
    try {
      this.listener.start(this);
    } catch (error) {
      this.abort(error);
    }
    callFor(this, this.deps.client, this);
  }

  send(attempt: AttemptContext, settling: Settling): void {
    const { sender } = this.deps;
    const reply = replyFor(attempt, settling, this, sender.style);
    if (!this.#body.isReplayable) this.#latest = reply;
    const sent = this.#optionsFor(attempt);
    try {
      sender.dispatch(sent, reply);
    } catch (error) {
      reply.cutShort(error);
    }
  }

  answered(reply: Reply): void {
    this.#isBodyUsed ||= reply.isSent;
    if (reply.mayHaveName(LOAD_HEADER_LENGTHS)) reportLoad(reply.attempt, reply);
  }

  failed(reply: Reply, error: unknown): void {
    this.#isBodyUsed ||= reply.isSent;
    // The same error may end several attempts, as when all connections are closed.
    if (reply.isSent) this.#unsent?.delete(error);
    else (this.#unsent ??= new Set()).add(error);
  }

  /** The call is over. */
  end(settled: Settled): void {
    this.#body.settle?.();
    if (!settled.ok) {
      this.listener.error(settled.error);
      return;
    }
    const reply = settled.value as Reply;
    if (this.aborted) {
      reply.discard(); // when it had come already
      this.listener.error(this.reason);
      return;
    }
    this.#reply = reply;
    reply.deliver();
  }

  override abort(reason: unknown): void {
    // Fetch aborts what it is told has failed: the call is over by then, and the failure is still the instance's.
    if (this.#isTold) return;
    const because = reason ?? new RequestAbortedError();
    if (this.#reply === undefined) super.abort(because);
    else this.#reply.abort(because);
  }

  resume(): void {
    this.#reply?.resume();
  }

  letGo(): void {
    this.#isTold = true;
    this.#reply = undefined;
    this.#latest = undefined;
  }

  #optionsFor(attempt: AttemptContext): DispatchOptions {
    const { options, deps } = this;
    const { deadlineHeader } = deps.wrapping;
    const { url, protocol } = attempt.instance;
    // `https` holds when either side asks for it.
    const isUpgraded = this.#isSecure && protocol !== 'https';
    // Not spread: undici's reading of an object that was spread costs 5 us (measured, Node 20).
    const sent: Sent = Object.assign({}, options);
    sent.origin = isUpgraded ? url.replace(/^[^:]*/, 'https') : url;
    sent.headers = this.#headers;
    sent.body = this.#body.next();
    if (deadlineHeader !== undefined) {
      sent.headers = withDefault(this.#headers, deadlineHeader, deadlineValue(attempt));
    }
    if (this.#isSecure || protocol === 'https') {
      sent.servername =
        options.servername ??
        deps.client.tlsServername ??
        deps.sender.servername ??
        hostNameIn(options.headers) ??
        deps.origin.hostname;
    }
    return sent;
  }

  rules(settled: Settled, instance: Instance): Verdict | undefined {
    if (settled.ok) return undefined;
    const { error } = settled;
    if (this.#body.failure !== undefined && this.#body.failure.error === error) return OWN_FAULT;
    const ended = this.deps.sender.endedWith?.();
    if (ended !== undefined && ended === error) return OWN_FAULT;
    if (this.#unsent?.has(error) !== true) return undefined;
    // No request that was never given to a connection has been acted on, whatever the error says.
    return unsent(classify(settled, instance));
  }
}

/** What undici takes from a request for TLS: the name in its `Host` header, where it has one of its own. */
function hostNameIn(headers: unknown): string | undefined {
  const host = requestHeader(headers, 'host');
  const url = `https://${host ?? ''}`;
  return host !== undefined && URL.canParse(url) ? new URL(url).hostname : undefined;
}

type Sent = { -readonly [Key in keyof DispatchOptions]: DispatchOptions[Key] };

const NO_OPTIONS: FairleadRequestOptions = {};

function ownOptions(given: FairleadRequestOptions): FairleadRequestOptions {
  const own = requestOptions(given);
  checkCallOptions(own);
  return own;
}

/** The body that was to be sent could not be read, or all requests were ended. */
const OWN_FAULT: Verdict = { outcome: 'ignored', retry: 'never' };

function discard(settled: Settled): void {
  if (settled.ok) (settled.value as Reply).discard();
}
