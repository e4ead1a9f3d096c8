/** One request of axios to a service. */
import { Axios, type AxiosError, type AxiosResponse, isAxiosError } from 'axios';
import { type CallOptions, checkCallOptions } from '../call-options.js';
import type { AttemptContext } from '../attempt-context.js';
import type { Caller, Settling } from '../caller.js';
import type { ClientView } from '../client-view.js';
import { classify } from '../resilience/classify.js';
import type { Classify, Instance, Settled, Verdict } from '../types.js';
import {
  type Adapter,
  type AxiosSending,
  type Config,
  endingOf,
  ofUnsent,
  sendAttempt,
} from './axios-attempt.js';
import { type AxiosBodyFactory, checkBodyFactory, ofBodyFault } from './axios-body.js';
import { asAxiosError, timeoutOf } from './axios-errors.js';
import { type AskedUrl, hashRequest, isIdempotent, isReplayable } from './axios-request.js';
import { type Cancellable, type CallerSignal, callerSignal } from './caller-signal.js';
import { callFor } from './dispatch/call-for.js';
import { heedingRedirects } from './redirected.js';
import { type FairleadRequestOptions, requestOptions } from './request-options.js';
import { discardStream } from './response-stream.js';
import type { Wrapping } from './wrap-options.js';

/** What a request is sent with; its body is for the call to find out. */
export type AxiosCallDeps = Omit<AxiosSending, 'makeBody'>;

/** A call of the client, whose attempts an adapter sends. It is the call's options, too: one object less for each request. */
export class AxiosCall implements AxiosSending, Caller, CallOptions {
  readonly wrapping: Wrapping;
  readonly client: ClientView;
  readonly url: AskedUrl;
  readonly config: Config;
  readonly adapter: Adapter;
  readonly makeBody: AxiosBodyFactory | undefined;
  readonly hashKey: string | undefined;
  readonly idempotent: boolean;
  readonly replayable: boolean;
  readonly timeoutMs: number | undefined;
  readonly classify: Classify;
  readonly signal: AbortSignal | undefined;
  /** What the request asks for itself. */
  readonly #own: FairleadRequestOptions;
  readonly #cancel: CallerSignal;
  #resolve!: (response: AxiosResponse) => void;
  #reject!: (error: unknown) => void;

  /** @throws {InvalidOptionError} naming what is wrong; what the hash key's function throws. */
  constructor({ wrapping, client, url, config, adapter }: AxiosCallDeps) {
    const { body, own } = ownOptions(config);
    const { readHashKey } = wrapping;
    this.wrapping = wrapping;
    this.client = client;
    this.url = url;
    this.config = config;
    this.adapter = adapter;
    this.makeBody = body;
    this.#own = own;
    this.hashKey = own.hashKey ?? readHashKey?.(hashRequest(fullUrl(url.href, config), config));
    this.idempotent = own.idempotent ?? isIdempotent(config);
    this.replayable = body !== undefined || isReplayable(config.data);
    this.timeoutMs = own.timeoutMs ?? timeoutOf(config);
    this.classify = heedingRedirects(own.classify);
    checkGiven(config, this.timeoutMs);
    this.#cancel = callerSignal(config); // last: it listens to what lives longer
    this.signal = this.#cancel.signal;
  }

  get attemptTimeoutMs(): number | undefined {
    return this.#own.attemptTimeoutMs;
  }

  get hedge(): boolean | undefined {
    return this.#own.hedge;
  }

  get onAttempt(): CallOptions['onAttempt'] {
    return this.#own.onAttempt;
  }

  get rules(): Classify {
    return rules;
  }

  get discard(): (settled: Settled) => void {
    return discard;
  }

  run(): Promise<AxiosResponse> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      callFor(this, this.client, this);
    });
  }

  send(attempt: AttemptContext, settling: Settling): void {
    sendAttempt(attempt, settling, this);
  }

  /** The call is over. */
  end(settled: Settled): void {
    if (settled.ok) this.#succeed(settled.value as AxiosResponse);
    else this.#fail(settled.error);
  }

  #succeed(response: AxiosResponse): void {
    try {
      response.config = this.config;
    } catch (error) {
      this.#fail(error); // an adapter of the application's own may give what cannot be written to
      return;
    }
    // The call is over at the headers of a stream; the caller can still cancel what follows.
    const ending = endingOf(response);
    if (ending === undefined) this.#cancel.release();
    else void ending.then(this.#cancel.release);
    this.#resolve(response);
  }

  #fail(error: unknown): void {
    this.#cancel.release();
    try {
      this.#reject(asAxiosError(error, this.config, this.signal));
    } catch (thrown) {
      this.#reject(thrown); // nor can some errors
    }
  }
}

interface OwnOptions {
  readonly body: AxiosBodyFactory | undefined;
  readonly own: FairleadRequestOptions;
}

const NO_OPTIONS: OwnOptions = { body: undefined, own: {} };

/** @throws {InvalidOptionError} naming what is wrong. */
function ownOptions({ fairlead, data }: Config): OwnOptions {
  if (fairlead === undefined) return NO_OPTIONS;
  const { body, ...own } = fairlead;
  checkBodyFactory(body, data);
  checkCallOptions(requestOptions(own));
  return { body, own };
}

/** What a call is given by axios's own options. */
function checkGiven({ signal: given }: Cancellable, timeoutMs: number | undefined): void {
  const signal = (given ?? undefined) as AbortSignal | undefined;
  if (timeoutMs !== undefined || signal !== undefined) checkCallOptions({ timeoutMs, signal });
}

const rules: Classify = (settled, instance) =>
  ofBodyFault(settled) ?? ofRejected(settled, instance) ?? ofUnsent(settled, instance);

/** An answer that came whole and has a status that `validateStatus` rejects: judged as the answer it is. */
function ofRejected(settled: Settled, instance: Instance): Verdict | undefined {
  if (settled.ok || !isAxiosError(settled.error)) return undefined;
  const { response, message } = settled.error;
  if (response === undefined || !message.startsWith('Request failed with status code '))
    return undefined;
  return classify({ ok: true, value: response }, instance);
}

/** Knows how axios writes `params`, and has no defaults of its own to add. */
const plain = new Axios({});

/** The URL with the `params` that axios adds when it sends. */
function fullUrl(href: string, { params, paramsSerializer }: Config): URL {
  const query = { params: params as unknown, ...(paramsSerializer && { paramsSerializer }) };
  return new URL(plain.getUri({ url: href, ...query }));
}

/** Frees a streamed body that nobody will read. */
function discard(settled: Settled): void {
  const response = settled.ok
    ? (settled.value as AxiosResponse)
    : (settled.error as AxiosError | undefined)?.response;
  discardStream(response?.data);
}
