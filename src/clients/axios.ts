/** `fairlead/axios`: an axios instance whose URLs name services. */
import {
  Axios,
  AxiosError,
  AxiosHeaders,
  type AxiosInstance,
  type AxiosResponse,
  CanceledError,
  getAdapter,
  type InternalAxiosRequestConfig,
  isAxiosError,
} from 'axios';
import type { AttemptContext } from '../attempt.js';
import { InvalidOptionError, isFairleadError, tellStory } from '../errors.js';
import type { CallOptions } from '../call-options.js';
import type { ClientView } from '../client-view.js';
import type { Settled } from '../types.js';
import { leaveBehind, type RedirectOptions, stayOnInstance } from './axios-redirect.js';
import { hashRequest, isIdempotent, isReplayable, readUrl } from './axios-request.js';
import { callerSignal } from './caller-signal.js';
import { deadlineValue } from './deadline-header.js';
import type { HashKey, HashKeyReader, HashRequest } from './hash-key.js';
import { closeOnceDrained } from './idle-sockets.js';
import { reportLoad } from './load-report.js';
import { heedingRedirects, noteRedirect, type Redirect } from './redirected.js';
import { type FairleadRequestOptions, requestOptions } from './request-options.js';
import { isStream, streamOutcome } from './response-stream.js';
import { clientFor, onInstance } from './route.js';
import type { Target } from './target.js';
import { resolveWrapping, type WrapOptions, type Wrapping } from './wrap-options.js';

export type { FairleadRequestOptions, HashKey, HashRequest, Target };

/** Options of {@link wrapAxios}. */
export type WrapAxiosOptions = WrapOptions;

declare module 'axios' {
  // The type parameter must be repeated as axios declares it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any, @typescript-eslint/no-unused-vars
  interface AxiosRequestConfig<D = any> {
    /** Options of this request alone, for Fairlead. */
    fairlead?: FairleadRequestOptions | undefined;
  }
}

type Config = InternalAxiosRequestConfig;
type Adapter = (config: Config) => Promise<AxiosResponse>;

/**
 * Makes an axios instance send through Fairlead: where a URL's host names a service of `target`, the request
 * goes to one of its instances, and to another when that fails and may be retried. Any other URL is sent as it
 * is. The instance itself is changed and returned: its type, interceptors, defaults and errors stay as they
 * are. A final `AxiosError` has the story of its attempts in `fairlead`; when Fairlead itself ended the call
 * its `cause` is the {@link FairleadError}.
 *
 * axios's `timeout` bounds the whole call, all attempts included. Idempotent methods, and requests with an
 * `Idempotency-Key` header, are retried; others only when provably unsent. A stream body is never sent twice.
 *
 * For a policy that hashes, `hashKey` says what by: {@link HashKey}. The key is made once per call, `params` included
 * in its URL; a request's own `fairlead.hashKey` comes first. What a response says of the instance's load in an
 * `endpoint-load-metrics` header is kept for a policy that weighs by it, whatever the status.
 *
 * With `deadlineHeader` each attempt says how much time it has. A request's own header of that name is sent as it is,
 * and `null` sends none. No host but the service's instances gets to see it, over redirects neither.
 *
 * When an instance was removed, or drains, and its last call has ended, the idle keep-alive connections to it are
 * closed, in whichever `http.Agent` they are.
 *
 * @throws {InvalidOptionError} when `target` is neither a client nor a pool, and naming the option out of range.
 */
export function wrapAxios<T extends AxiosInstance>(
  axios: T,
  target: Target,
  options: WrapAxiosOptions = {},
): T {
  if (typeof axios !== 'function' || typeof axios.defaults !== 'object') {
    throw new InvalidOptionError('axios', 'an axios instance', axios);
  }
  const wrapping = resolveWrapping('wrapAxios', target, options);
  const original = axios.defaults.adapter;
  axios.defaults.adapter = (config) => {
    const send: Adapter = getAdapter(original, config);
    const url = readUrl(config);
    return url === undefined ? send(config) : dispatch(wrapping, url, config, send);
  };
  return axios;
}

async function dispatch(
  wrapping: Wrapping,
  url: URL,
  config: Config,
  send: Adapter,
): Promise<AxiosResponse> {
  const cancel = callerSignal(config);
  try {
    const client = clientFor(wrapping, url);
    if (client === undefined) return await send(config);
    const { readHashKey, deadlineHeader } = wrapping;
    warnOfAxiosRetry(config);
    const sending: Sending = { client, url, config, send, deadlineHeader };
    const response = await client.call((attempt) => attemptOn(attempt, sending), {
      ...callOptions(url, config, readHashKey),
      signal: cancel.signal,
      discard,
    });
    response.config = config;
    // The call is over at the headers of a stream; the caller can still cancel what follows.
    if (isStream(response.data)) void streamOutcome(response.data).then(cancel.release);
    else cancel.release();
    return response;
  } catch (error) {
    cancel.release();
    throw asAxiosError(error, config, cancel.signal);
  }
}

function callOptions(
  url: URL,
  config: Config,
  readHashKey: HashKeyReader | undefined,
): CallOptions {
  const { timeout = 0 } = config;
  const own = requestOptions(config.fairlead);
  return {
    ...own,
    hashKey: own.hashKey ?? readHashKey?.(hashRequest(fullUrl(url, config), config)),
    idempotent: own.idempotent ?? isIdempotent(config),
    replayable: isReplayable(config.data),
    timeoutMs: own.timeoutMs ?? (timeout > 0 ? timeout : undefined),
    classify: heedingRedirects(own.classify),
  };
}

/** Knows how axios writes `params`, and has no defaults of its own to add. */
const plain = new Axios({});

/** The URL with the `params` that axios adds when it sends. */
function fullUrl(url: URL, { params, paramsSerializer }: Config): URL {
  const query = { params: params as unknown, ...(paramsSerializer && { paramsSerializer }) };
  return new URL(plain.getUri({ url: url.href, ...query }));
}

interface Sending {
  readonly client: ClientView;
  readonly url: URL;
  readonly config: Config;
  readonly send: Adapter;
  readonly deadlineHeader: string | undefined;
}

async function attemptOn(
  attempt: AttemptContext,
  { client, url, config, send, deadlineHeader }: Sending,
): Promise<AxiosResponse> {
  const { instance, signal } = attempt;
  const redirect: Redirect = { followed: false, left: false };
  const there = onInstance(url, instance);
  const headers = new AxiosHeaders(config.headers);
  // Node's agents take the TLS server name, sent and verified, from the Host header: it is the service's, not
  // the address's. User's own header first.
  if (there.protocol === 'https:' && !headers.has('Host')) headers.set('Host', url.host);
  const isOurs = deadlineHeader !== undefined && !headers.has(deadlineHeader);
  if (isOurs) headers.set(deadlineHeader, deadlineValue(attempt));
  const sent: Config = {
    ...config,
    headers,
    url: there.href,
    signal,
    timeout: 0, // ours applies: it covers all attempts
    proxy: false,
    beforeRedirect: (options: RedirectOptions, ...rest) => {
      redirect.followed = true;
      if (options.hostname === url.hostname) {
        stayOnInstance(options, url, instance, { protocol: there.protocol, headers });
      } else if (options.hostname !== instance.host || Number(options.port) !== instance.port) {
        redirect.left = true;
        if (isOurs) leaveBehind(options, deadlineHeader);
      }
      config.beforeRedirect?.(options, ...rest);
    },
  };
  delete sent.baseURL; // in the URL already
  delete sent.cancelToken; // in the signal already
  const answer = answerTo(sent, send, (heard) => {
    closeOnceDrained(client, heard.request);
    // Where a redirect led elsewhere, it is another server that speaks of its load.
    if (!redirect.left) reportLoad(attempt, headersOf(heard));
  });
  const response = await noteRedirect(redirect, answer);
  if (isStream(response.data)) attempt.hold(streamOutcome(response.data));
  return response;
}

/** Sends, and lets the answer be heard: one with a status that axios rejects, too. */
async function answerTo(
  config: Config,
  send: Adapter,
  hear: (answer: AxiosResponse) => void,
): Promise<AxiosResponse> {
  try {
    const response = await send(config);
    hear(response);
    return response;
  } catch (error) {
    if (isAxiosError(error) && error.response !== undefined) hear(error.response);
    throw error;
  }
}

/** As axios does later on: an adapter of the application's own may give a plain object. */
function headersOf({ headers }: AxiosResponse): AxiosHeaders {
  return AxiosHeaders.from(headers as AxiosHeaders);
}

/** Frees a streamed body that nobody will read. */
function discard(settled: Settled): void {
  const response = settled.ok
    ? (settled.value as AxiosResponse)
    : (settled.error as AxiosError | undefined)?.response;
  if (isStream(response?.data)) response.data.destroy();
}

/** The error as axios users know it: an AxiosError with the request's own config. */
function asAxiosError(error: unknown, config: Config, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true && error === signal.reason) {
    if (error instanceof CanceledError) return error;
    const canceled = new CanceledError();
    canceled.config = config;
    canceled.cause = error instanceof Error ? error : new Error(String(error));
    return canceled;
  }
  if (isFairleadError(error)) {
    const timedOut =
      error.code === 'ERR_FAIRLEAD_DEADLINE_EXCEEDED' ||
      error.code === 'ERR_FAIRLEAD_ATTEMPT_TIMEOUT';
    const made = timedOut
      ? new AxiosError(timeoutMessage(config) ?? error.message, timeoutCode(config), config)
      : new AxiosError(error.message, error.code, config);
    made.cause = error;
    tellStory(made, error);
    return made;
  }
  if (isAxiosError(error)) {
    error.config = config;
    if (error.response !== undefined) error.response.config = config;
  }
  return error;
}

/** axios's own words when the limit reached was axios's; `undefined` when it was the client's. */
function timeoutMessage({ timeout = 0, timeoutErrorMessage }: Config): string | undefined {
  return (
    timeoutErrorMessage ?? (timeout > 0 ? `timeout of ${String(timeout)}ms exceeded` : undefined)
  );
}

function timeoutCode({ transitional }: Config): string {
  return transitional?.clarifyTimeoutError === true
    ? AxiosError.ETIMEDOUT
    : AxiosError.ECONNABORTED;
}

let warnedOfAxiosRetry = false;

/** axios-retry leaves its state in the config. Each of its retries would be a whole call with retries of its own. */
function warnOfAxiosRetry(config: Config): void {
  if (warnedOfAxiosRetry || !('axios-retry' in config)) return;
  warnedOfAxiosRetry = true;
  process.emitWarning(
    'axios-retry is active on an axios instance wrapped by Fairlead: attempts multiply. Remove one of them.',
    { code: 'FAIRLEAD_AXIOS_RETRY' },
  );
}
