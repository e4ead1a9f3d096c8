/** `fairlead/axios`: an axios instance whose URLs name services. */
import {
  type AxiosInstance,
  type AxiosResponse,
  getAdapter,
  type InternalAxiosRequestConfig,
} from 'axios';
import { FairleadError, InvalidOptionError, show } from '../errors.js';
import type { Adapter, Config } from './axios-attempt.js';
import type { AxiosBody, AxiosBodyFactory } from './axios-body.js';
import { AxiosCall } from './axios-call.js';
import { asAxiosError } from './axios-errors.js';
import { type AskedUrl, readUrl } from './axios-request.js';
import type { HashKey, HashRequest } from './hash-key.js';
import type { FairleadRequestOptions } from './request-options.js';
import { clientFor } from './route.js';
import type { Target } from './target.js';
import { resolveWrapping, type WrapOptions, type Wrapping } from './wrap-options.js';

export type { AxiosBody, AxiosBodyFactory, FairleadRequestOptions, HashKey, HashRequest, Target };

/** Options of {@link wrapAxios}. */
export type WrapAxiosOptions = WrapOptions;

/** Options of one request of axios, as `fairlead` in its config. */
export interface AxiosFairleadOptions extends FairleadRequestOptions {
  /**
   * Makes the body, in place of `data`: called once for each attempt, so that a request with a stream can be sent again.
   * It must give a new stream each time. What it gives is sent as it is; transformRequest does not see it, and gives no
   * Content-Type. What it throws is what the request rejects with.
   */
  readonly body?: AxiosBodyFactory | undefined;
}

declare module 'axios' {
  // The type parameter must be repeated as axios declares it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any, @typescript-eslint/no-unused-vars
  interface AxiosRequestConfig<D = any> {
    /** Options of this request alone, for Fairlead. */
    fairlead?: AxiosFairleadOptions | undefined;
  }
}

/** The adapters made here. */
const adapters = new WeakSet();

/**
 * Makes an axios instance send through Fairlead: where a URL's host names a service of `target`, the request
 * goes to one of its instances, and to another when that fails and may be retried. Any other URL is sent as it
 * is, or refused with `strict`. The instance itself is changed and returned: its type, interceptors, defaults and errors
 * stay as they are, and so do the `Host` header, the name in TLS and the URLs in responses: they name the service. A
 * final `AxiosError` has the story of its attempts in `fairlead`; when Fairlead itself ended the call its `cause` is the
 * {@link FairleadError}.
 *
 * axios's `timeout` bounds the whole call, all attempts included; `fairlead.attemptTimeoutMs` bounds each of them.
 * Idempotent methods, and requests with an `Idempotency-Key` header, are retried; others only when provably unsent. A
 * stream body is never sent twice; `fairlead.body` makes one for each attempt.
 *
 * An `adapter` of the instance's, or of one request, is what each attempt is sent by. Axios's own `http` and `fetch` are
 * given the logical URL; any other is given the instance's address as URL, and a `Host` header. `httpAgent` and
 * `httpsAgent` are used as they are configured. Instances are not asked by way of a proxy.
 *
 * For a policy that hashes, `hashKey` says what by: {@link HashKey}. The key is made once per call, `params` included
 * in its URL; a request's own `fairlead.hashKey` comes first. What a response says of the instance's load in an
 * `endpoint-load-metrics` header is kept for a policy that weighs by it, whatever the status.
 *
 * With `deadlineHeader` each attempt says how much time it has. A request's own header of that name is sent as it is,
 * and `null` sends none. No host but the service's instances gets to see it, over redirects neither.
 *
 * A redirect that is relative, or leads to the service, stays on the instance; one to another service of `target` goes to
 * an instance of that. When an instance was removed, or drains, and its last call has ended, the idle keep-alive
 * connections to it are closed, in whichever `http.Agent` they are.
 *
 * @throws {InvalidOptionError} when `axios` is no axios instance or is wrapped already (a client pool is for several
 * services), when `target` is neither a client nor a pool, and naming the option out of range.
 */
export function wrapAxios<T extends AxiosInstance>(
  axios: T,
  target: Target,
  options: WrapAxiosOptions = {},
): T {
  if (typeof axios !== 'function' || typeof axios.defaults !== 'object') {
    throw new InvalidOptionError('axios', 'an axios instance', axios);
  }
  const { defaults } = axios;
  if (isOurs(defaults.adapter)) {
    const expected = 'an axios instance that is not wrapped yet';
    const message = `Option "axios" must be ${expected}; this one is, or was made by one that is. For several services wrap it once, with a client pool.`;
    throw new InvalidOptionError('axios', expected, axios, message);
  }
  const wrapping = resolveWrapping('wrapAxios', target, options);
  defaults.adapter = through(wrapping, defaults.adapter);
  // A request with an adapter of its own is ours, too. Not where an interceptor gives it one, to answer from a cache say.
  axios.interceptors.request.use(
    (config) => {
      config.adapter = through(wrapping, config.adapter, true);
      return config;
    },
    null,
    { synchronous: true, runWhen: ({ adapter }) => adapter !== undefined && !isOurs(adapter) },
  );
  return axios;
}

function isOurs(adapter: unknown): boolean {
  return typeof adapter === 'function' && adapters.has(adapter);
}

type GivenAdapter = InternalAxiosRequestConfig['adapter'];

/**
 * An adapter that sends by way of `original`.
 *
 * @param isRequests when a request brought that along: its config is to say so again, to whoever looks at it or sends it
 * once more.
 */
function through(wrapping: Wrapping, original: GivenAdapter, isRequests = false): Adapter {
  let usual: Adapter | undefined;
  const adapter: Adapter = (config) => {
    if (isRequests && original !== undefined) config.adapter = original;
    const send = usual ?? getAdapter(original, config);
    // Which one sends depends on the request for `fetch` alone, and to ask costs a little.
    if (usual === undefined && send === getAdapter('http')) usual = send;
    return dispatch(wrapping, config, send);
  };
  adapters.add(adapter);
  return adapter;
}

function dispatch(wrapping: Wrapping, config: Config, adapter: Adapter): Promise<AxiosResponse> {
  try {
    const url = targetOf(config, wrapping);
    const client = url && clientFor(wrapping, url.origin);
    if (url === undefined || client === undefined) return passOn(config, adapter);
    warnOfAxiosRetry(config);
    return new AxiosCall({ wrapping, client, url, config, adapter }).run();
  } catch (error) {
    return Promise.reject(asAxiosError(error, config, undefined));
  }
}

/** None of ours. */
async function passOn(config: Config, adapter: Adapter): Promise<AxiosResponse> {
  try {
    return await adapter(config);
  } catch (error) {
    throw asAxiosError(error, config, (config.signal ?? undefined) as AbortSignal | undefined);
  }
}

/** `undefined` for what is not ours to send. */
function targetOf(config: Config, { strict }: Wrapping): AskedUrl | undefined {
  const { socketPath, url: given = '' } = config;
  if (socketPath !== undefined && socketPath !== null) return undefined;
  const url = readUrl(config);
  // Some versions of axios send what is no URL to localhost.
  if (url !== undefined || !strict || /^data:/i.test(given)) return url;
  throw new FairleadError(
    'ERR_FAIRLEAD_UNKNOWN_HOST',
    `${show(given)} is no URL of a service, and "strict" lets nothing else pass.`,
  );
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
