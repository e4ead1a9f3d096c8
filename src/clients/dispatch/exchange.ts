import type { AttemptContext } from '../../attempt.js';
import type { CallOptions } from '../../call-options.js';
import { Cancellation } from '../../cancellation.js';
import type { ClientView } from '../../client-view.js';
import { classify } from '../../resilience/classify.js';
import type { Instance, Settled, Verdict } from '../../types.js';
import { deadlineValue } from '../deadline-header.js';
import { reportLoad } from '../load-report.js';
import { requestOptions } from '../request-options.js';
import { IDEMPOTENT_METHODS } from '../route.js';
import type { Wrapping } from '../wrap-options.js';
import { type Body, bodyOf } from './body.js';
import { requestHeader, withDefault } from './headers.js';
import { type Flow, type Listener, listenerOf } from './listener.js';
import { type Reply } from './reply.js';
import { replyFor } from './replies.js';
import type { Dispatch, DispatchOptions } from './types.js';

/** What a request is sent with. */
export interface ExchangeDeps {
  readonly wrapping: Wrapping;
  readonly client: ClientView;
  /** Of the URL asked for. */
  readonly origin: URL;
  readonly dispatch: Dispatch;
}

/** One request: a call of the client, whose attempts are dispatched to the instances picked. */
export class Exchange implements Flow {
  readonly #listener: Listener;
  readonly #cancellation = new Cancellation();
  readonly #body: Body;
  /** Headers of the request that all attempts have in common. */
  readonly #headers: unknown;
  readonly #isSecure: boolean;
  #isBodyUsed = false;
  /** What attempts ended with that had not begun to send. */
  #unsent: unknown[] | undefined;
  #reply: Reply | undefined;

  constructor(
    private readonly options: DispatchOptions,
    handler: object,
    private readonly deps: ExchangeDeps,
  ) {
    const { origin } = deps;
    this.#listener = listenerOf(handler);
    this.#body = bodyOf(options);
    this.#headers = withDefault(options.headers, 'host', origin.host);
    this.#isSecure = origin.protocol === 'https:';
  }

  run(): void {
    const { client } = this.deps;
    this.#listener.start(this);
    client
      .call((attempt) => this.#send(attempt), this.#callOptions())
      .then(
        (reply) => {
          this.#reply = reply;
          reply.deliver();
        },
        (error: unknown) => {
          this.#listener.error(error);
        },
      );
  }

  abort(reason: unknown = new RequestAbortedError()): void {
    this.#cancellation.abort(reason);
    this.#reply?.abort(reason);
  }

  resume(): void {
    this.#reply?.resume();
  }

  #callOptions(): CallOptions {
    const { options, deps } = this;
    const own = requestOptions(options.fairlead);
    const isIdempotent = own.idempotent ?? mayRepeat(options);
    const call = {
      ...own,
      idempotent: isIdempotent && this.#body.isReplayable,
      hashKey: own.hashKey ?? this.#hashKey(deps.wrapping),
      signal: this.#cancellation.signal,
      discard,
      rules: this.#rules,
    };
    if (this.#body.isReplayable) return call;
    // Until an attempt has begun to send it.
    return Object.defineProperty(call, 'replayable', {
      get: () => !this.#isBodyUsed,
      enumerable: true,
    });
  }

  #hashKey({ readHashKey }: Wrapping): string | undefined {
    const { path, method, headers } = this.options;
    return readHashKey?.({
      method: method.toUpperCase(),
      url: new URL(path, this.deps.origin),
      header: (name) => requestHeader(headers, name.toLowerCase()),
    });
  }

  async #send(attempt: AttemptContext): Promise<Reply> {
    const { dispatch } = this.deps;
    const reply = replyFor(attempt, this.#listener);
    dispatch(this.#optionsFor(attempt), reply);
    try {
      await reply.answered;
    } catch (error) {
      if (!reply.isSent) (this.#unsent ??= []).push(error);
      throw error;
    } finally {
      this.#isBodyUsed ||= reply.isSent;
    }
    reportLoad(attempt, reply.headers);
    return reply;
  }

  #optionsFor(attempt: AttemptContext): DispatchOptions {
    const { options, deps } = this;
    const { instance } = attempt;
    const { deadlineHeader } = deps.wrapping;
    const sent = {
      ...options,
      origin: this.#originOf(instance),
      headers:
        deadlineHeader === undefined
          ? this.#headers
          : withDefault(this.#headers, deadlineHeader, deadlineValue(attempt)),
      body: this.#body.next(),
    };
    if (options.servername === undefined || options.servername === null) {
      sent.servername = deps.client.tlsServername ?? deps.origin.hostname;
    }
    return sent;
  }

  /** `https` holds when either side asks for it. */
  #originOf({ url, protocol }: Instance): string {
    return this.#isSecure && protocol !== 'https' ? url.replace(/^[^:]*/, 'https') : url;
  }

  /** No request that was never given to a connection has been acted on, whatever the error says. */
  readonly #rules = (settled: Settled, instance: Instance): Verdict | undefined => {
    if (settled.ok || this.#unsent?.includes(settled.error) !== true) return undefined;
    const verdict = classify(settled, instance);
    return verdict.retry === 'if-idempotent' ? { ...verdict, retry: 'always' } : verdict;
  };
}

function discard(settled: Settled): void {
  if (settled.ok) (settled.value as Reply).discard();
}

function mayRepeat({ method, headers, idempotent }: DispatchOptions): boolean {
  if (typeof idempotent === 'boolean') return idempotent;
  return (
    IDEMPOTENT_METHODS.has(method.toUpperCase()) ||
    requestHeader(headers, 'idempotency-key') !== undefined
  );
}

/** What undici's own dispatchers end a request with that was aborted without a reason. */
class RequestAbortedError extends Error {
  override readonly name = 'AbortError';
  readonly code = 'UND_ERR_ABORTED';

  constructor() {
    super('Request aborted');
  }
}
