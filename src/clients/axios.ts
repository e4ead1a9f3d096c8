/** `fairlead/axios`: an axios instance whose URLs name services. */
import { finished, Readable } from 'node:stream';
import {
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
import { InvalidOptionError, isFairleadError, tellAttempts } from '../errors.js';
import type { CallOptions } from '../call-options.js';
import type { Outcome, Settled } from '../types.js';
import { checkKeys } from '../validate.js';
import {
  afterRedirect,
  type Redirect,
  type RedirectOptions,
  stayOnInstance,
} from './axios-redirect.js';
import { checkTarget, clientFor, IDEMPOTENT_METHODS, onInstance, type Target } from './route.js';

/** Per-request options, as `fairlead` in an axios request config. */
export type FairleadRequestOptions = Pick<
  CallOptions,
  'idempotent' | 'hashKey' | 'timeoutMs' | 'attemptTimeoutMs'
>;

declare module 'axios' {
  // The type parameter must be repeated as axios declares it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any, @typescript-eslint/no-unused-vars
  interface AxiosRequestConfig<D = any> {
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
 * @throws {InvalidOptionError} when `target` is neither a client nor a pool.
 */
export function wrapAxios<T extends AxiosInstance>(axios: T, target: Target): T {
  if (typeof axios !== 'function' || typeof axios.defaults !== 'object') {
    throw new InvalidOptionError('axios', 'an axios instance', axios);
  }
  checkTarget(target);
  const original = axios.defaults.adapter;
  axios.defaults.adapter = (config) => {
    const send: Adapter = getAdapter(original, config);
    const url = readUrl(config);
    return url === undefined ? send(config) : dispatch(target, url, config, send);
  };
  return axios;
}

async function dispatch(
  target: Target,
  url: URL,
  config: Config,
  send: Adapter,
): Promise<AxiosResponse> {
  const cancel = callerSignal(config);
  try {
    const client = clientFor(target, url);
    if (client === undefined) return await send(config);
    warnOfAxiosRetry(config);
    const redirect: Redirect = { followed: false, left: false };
    const response = await client.call(
      (attempt) => attemptOn(attempt, { url, config, send, redirect }),
      { ...callOptions(config), signal: cancel.signal, discard, classify: afterRedirect(redirect) },
    );
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

function callOptions(config: Config): CallOptions {
  const { timeout = 0, fairlead = {} } = config;
  checkKeys('fairlead', fairlead, ['idempotent', 'hashKey', 'timeoutMs', 'attemptTimeoutMs']);
  return {
    hashKey: fairlead.hashKey,
    idempotent: fairlead.idempotent ?? isIdempotent(config),
    replayable: isReplayable(config.data),
    timeoutMs: fairlead.timeoutMs ?? (timeout > 0 ? timeout : undefined),
    attemptTimeoutMs: fairlead.attemptTimeoutMs,
  };
}

interface Sending {
  readonly url: URL;
  readonly config: Config;
  readonly send: Adapter;
  readonly redirect: Redirect;
}

async function attemptOn(
  attempt: AttemptContext,
  { url, config, send, redirect }: Sending,
): Promise<AxiosResponse> {
  const { instance, signal } = attempt;
  redirect.followed = redirect.left = false;
  const there = onInstance(url, instance);
  const headers = new AxiosHeaders(config.headers);
  // Node's agents take the TLS server name, sent and verified, from the Host header: it is the service's, not
  // the address's. User's own header first.
  if (there.protocol === 'https:' && !headers.has('Host')) headers.set('Host', url.host);
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
      }
      config.beforeRedirect?.(options, ...rest);
    },
  };
  delete sent.baseURL; // in the URL already
  delete sent.cancelToken; // in the signal already
  const response = await send(sent);
  if (isStream(response.data)) attempt.hold(streamOutcome(response.data));
  return response;
}

/** axios's own rule for joining `baseURL` and `url`; `undefined` for what axios itself must judge. */
function readUrl({ baseURL, url = '', allowAbsoluteUrls }: Config): URL | undefined {
  const isAbsolute = /^([a-z][a-z\d+\-.]*:)?\/\//i.test(url);
  const full =
    baseURL !== undefined && baseURL !== '' && (!isAbsolute || allowAbsoluteUrls === false)
      ? url === ''
        ? baseURL
        : `${baseURL.replace(/\/?\/$/, '')}/${url.replace(/^\/+/, '')}`
      : url;
  return URL.canParse(full) ? new URL(full) : undefined;
}

function isIdempotent({ method = 'get', headers }: Config): boolean {
  return IDEMPOTENT_METHODS.has(method.toUpperCase()) || headers.has('Idempotency-Key');
}

/** A body that is read while it is sent is used up by the first attempt. `data` has been through transformRequest. */
function isReplayable(data: unknown): boolean {
  if (typeof data !== 'object' || data === null) return true;
  const isStream = 'pipe' in data || 'getReader' in data;
  return !isStream;
}

/** One signal for both of axios's ways to cancel. */
function callerSignal({ signal, cancelToken }: Config): {
  readonly signal: AbortSignal | undefined;
  readonly release: () => void;
} {
  const own = signal as AbortSignal | undefined;
  if (cancelToken === undefined) return { signal: own, release: () => undefined };
  const controller = new AbortController();
  const onAbort = (): void => {
    controller.abort(own?.reason);
  };
  // Not in axios's types, but how its own adapters listen: `promise.then` could never be taken back.
  const token = cancelToken as unknown as {
    subscribe(listener: (reason: unknown) => void): void;
    unsubscribe(listener: (reason: unknown) => void): void;
  };
  const onCancel = (reason: unknown): void => {
    controller.abort(reason);
  };
  token.subscribe(onCancel);
  if (own?.aborted === true) onAbort();
  own?.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    release: () => {
      token.unsubscribe(onCancel);
      own?.removeEventListener('abort', onAbort);
    },
  };
}

function isStream(data: unknown): data is Readable {
  return data instanceof Readable;
}

function streamOutcome(stream: Readable): Promise<Outcome> {
  return new Promise((resolve) => {
    finished(stream, (error) => {
      if (error === undefined || error === null) resolve('success');
      // The reader went away: no fault of the instance. A cut from the other side comes as another error.
      else resolve(error.code === 'ERR_STREAM_PREMATURE_CLOSE' ? 'ignored' : 'failure');
    });
  });
}

/** Frees a streamed body that nobody will read. */
function discard(settled: Settled): void {
  const response = settled.ok
    ? (settled.value as AxiosResponse)
    : (settled.error as AxiosError | undefined)?.response;
  if (response?.data instanceof Readable) response.data.destroy();
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
    tellAttempts(made, error.attempts);
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
