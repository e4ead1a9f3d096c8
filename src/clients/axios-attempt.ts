/** One attempt of a request through axios: sent to its instance by the adapter that would send it anyway. */
import {
  AxiosHeaders,
  type AxiosResponse,
  getAdapter,
  type InternalAxiosRequestConfig,
  isAxiosError,
} from 'axios';
import type { AttemptContext } from '../attempt-context.js';
import { Cancellation } from '../cancellation.js';
import type { Settling } from '../caller.js';
import type { ClientView } from '../client-view.js';
import { classify, unsent } from '../resilience/classify.js';
import type { Instance, Outcome, Settled, Verdict } from '../types.js';
import { isObject } from '../validate.js';
import { agentFor, AskedRequests, type GivenAgent, RoutedAgent } from './axios-agent.js';
import { type AttemptBody, type AxiosBodyFactory, blameOwnStream, makeBody } from './axios-body.js';
import { AttemptDispatcher, isDispatcher } from './axios-dispatcher.js';
import { asAxiosError } from './axios-errors.js';
import { type AskedUrl, authOf, hrefOf } from './axios-request.js';
import { connectorTo } from './axios-http2.js';
import { RedirectedRoute, type RedirectOptions } from './axios-redirect.js';
import { deadlineValue } from './deadline-header.js';
import { closeOnceDrained } from './idle-sockets.js';
import { LOAD_HEADERS, reportLoad } from './load-report.js';
import { noteRedirect } from './redirected.js';
import { streamedBody } from './response-stream.js';
import { onInstance } from './route.js';
import type { Wrapping } from './wrap-options.js';

export type Config = InternalAxiosRequestConfig & {
  readonly httpVersion?: unknown;
  readonly http2Options?: Record<string, unknown>;
  readonly sensitiveHeaders?: readonly string[];
};
export type Adapter = (config: InternalAxiosRequestConfig) => Promise<AxiosResponse>;

/** One request, as its attempts send it. */
export interface AxiosSending {
  readonly wrapping: Wrapping;
  readonly client: ClientView;
  /** Names the service. */
  readonly url: AskedUrl;
  readonly config: Config;
  readonly adapter: Adapter;
  /** Makes the body of each attempt. */
  readonly makeBody: AxiosBodyFactory | undefined;
}

/** How the bodies of streamed responses end. */
const endings = new WeakMap<AxiosResponse, Promise<Outcome>>();

/** What attempts ended with whose request was never given to a connection. */
const neverSent = new WeakSet();

/** No instance has acted on such a request, whatever the error says; `undefined` for anything else. */
export function ofUnsent(settled: Settled, instance: Instance): Verdict | undefined {
  if (settled.ok || !isObject(settled.error) || !neverSent.has(settled.error)) return undefined;
  return unsent(classify(settled, instance));
}

/** `undefined` for a response that is complete. */
export function endingOf(response: AxiosResponse): Promise<Outcome> | undefined {
  return endings.get(response);
}

export function sendAttempt(
  attempt: AttemptContext,
  settling: Settling,
  sending: AxiosSending,
): void {
  if (sending.makeBody === undefined) send({ attempt, settling, sending, made: undefined });
  else void sendMade({ attempt, settling, sending }, sending.makeBody);
}

/** An attempt on its way. */
interface UnderWay {
  readonly attempt: AttemptContext;
  readonly settling: Settling;
  readonly sending: AxiosSending;
  readonly made: AttemptBody | undefined;
}

async function sendMade(rest: Omit<UnderWay, 'made'>, make: AxiosBodyFactory): Promise<void> {
  let made: AttemptBody | undefined;
  try {
    made = await makeBody(make);
    send({ ...rest, made });
  } catch (error) {
    made?.release();
    rest.settling.settle({ ok: false, error });
  }
}

function send(underWay: UnderWay): void {
  const { settling, sending, made } = underWay;
  const prepared = prepare(underWay);
  const { config } = prepared;
  const signal = config.signal as AbortSignal | undefined;
  if (signal?.aborted === true) {
    // While its body was made. axios would reject at once, and send it all the same.
    made?.release();
    settling.settle({ ok: false, error: signal.reason });
    return;
  }
  if (made === undefined) blameOwnStream(config.data);
  else config.data = made.data;
  sending.adapter(config).then(
    (response) => {
      try {
        onResponse(underWay, prepared, response);
      } catch (error) {
        made?.release();
        settling.settle({ ok: false, error }); // an adapter of the application's own may give what is no response
        return;
      }
      settling.settle({ ok: true, value: response });
    },
    (reason: unknown) => {
      made?.release();
      settling.settle({ ok: false, error: errorOf(underWay, prepared, reason) });
    },
  );
}

function onResponse(
  { attempt }: UnderWay,
  { route, dispatcher }: Prepared,
  response: AxiosResponse,
): void {
  const { redirect } = route;
  hear(attempt, route, response);
  const body = streamedBody(response.data, () => {
    dispatcher?.abort(new DOMException('The response is not read on.', 'AbortError'));
  });
  if (body === undefined) {
    route.end(() => classify({ ok: true, value: response }).outcome);
  } else {
    response.data = body.data;
    endings.set(response, body.ended);
    if (!redirect.left) attempt.hold(body.ended);
    route.answered();
    void body.ended.then((outcome) => {
      route.end(() => outcome);
    });
  }
  noteRedirect(redirect, response);
}

/** What the attempt has failed with. */
function errorOf(
  { attempt, sending }: UnderWay,
  { route, dispatcher }: Prepared,
  reason: unknown,
): unknown {
  try {
    // One with a status that axios rejects is an answer, too.
    if (isAxiosError(reason) && reason.response !== undefined) {
      hear(attempt, route, reason.response);
    }
    const error = route.refused === undefined ? reason : refusal(route.refused, sending.config);
    if (dispatcher?.isSent === false && isObject(error)) neverSent.add(error);
    route.end(() => classify({ ok: false, error }).outcome);
    noteRedirect(route.redirect, error);
    return error;
  } catch (thrown) {
    return thrown; // an adapter of the application's own may give what is no response
  }
}

/** What an answer tells beside what it says. */
function hear(attempt: AttemptContext, route: RedirectedRoute, response: AxiosResponse): void {
  closeOnceDrained(route.client, response.request);
  // Where a redirect led elsewhere, it is another server that speaks of its load.
  if (!route.redirect.left) reportLoad(attempt, headersOf(response, !route.isAddressed));
}

/** A redirect that was not followed fails for that reason, whatever words the adapter has for it. */
function refusal({ error }: NonNullable<RedirectedRoute['refused']>, config: Config): unknown {
  return asAxiosError(error, config, undefined);
}

/** How the adapter is told where to send to. */
type Way =
  /** By the agents: axios's own `http` adapter. */
  | 'agents'
  /** By a dispatcher: axios's own `fetch` adapter over Node's own fetch. */
  | 'dispatcher'
  /** By the URL: anything else. */
  | 'address';

/** What axios's types have as `any`, or not in each version. */
type WithFetch = Omit<Config, 'env' | 'transport' | 'fetchOptions'> & {
  readonly env?: { readonly fetch?: unknown; readonly Request?: unknown };
  readonly transport?: unknown;
  readonly fetchOptions?: { readonly dispatcher?: unknown };
};

let httpAdapter: Adapter | undefined;

function wayOf(adapter: Adapter, config: Config): Way {
  const { env, transport, httpVersion, http2Options, fetchOptions } = config as WithFetch;
  if (adapter === (httpAdapter ??= getAdapter('http'))) {
    if (transport !== undefined && transport !== null) return 'address';
    const isHttp2 = Number(httpVersion) === 2;
    return isHttp2 && http2Options?.['createConnection'] !== undefined ? 'address' : 'agents';
  }
  const isOwnFetch = (env?.fetch ?? globalThis.fetch) === globalThis.fetch;
  if (!isOwnFetch || (env?.Request ?? globalThis.Request) !== globalThis.Request) return 'address';
  // Its second argument is that of axios from 1.8 on.
  const fetchAdapter = (getAdapter as (name: string, config: Config) => unknown)('fetch', config);
  if (adapter !== fetchAdapter) return 'address';
  const given = fetchOptions?.dispatcher;
  return given === undefined || isDispatcher(given) ? 'dispatcher' : 'address';
}

interface Prepared {
  readonly route: RedirectedRoute;
  readonly config: Config;
  readonly dispatcher?: AttemptDispatcher;
}

function prepare({ attempt, settling, sending }: UnderWay): Prepared {
  const { wrapping, client, url, config, adapter } = sending;
  const { instance } = attempt;
  const { origin } = url;
  const way = wayOf(adapter, config);
  const headers = headersFor(config.headers);
  const { deadlineHeader } = wrapping;
  const isOurs = deadlineHeader !== undefined && !headers.has(deadlineHeader);
  if (isOurs) headers.set(deadlineHeader, deadlineValue(attempt));
  const ownHeader = isOurs ? deadlineHeader : undefined;
  const isSecure = origin.protocol === 'https:' || instance.protocol === 'https';
  const route = new RedirectedRoute({
    wrapping,
    client,
    attempt,
    origin,
    isSecure,
    headers,
    ownHeader,
    auth: () => authOf(config, origin),
    sensitiveHeaders: config.sensitiveHeaders,
    isAddressed: way === 'address',
  });
  const sent = copyOf(config, way);
  sent.headers = headers;
  sent.url =
    way === 'address' ? onInstance(new URL(url.href), instance).href : hrefOf(url, isSecure);
  sent.timeout = 0; // ours applies: it covers all attempts
  sent.proxy = false;
  // What the URL and the signal say already. Not deleted: an object that something was deleted from is slow to read.
  if (sent.baseURL !== undefined) Object.assign(sent, { baseURL: undefined });
  if (sent.cancelToken !== undefined) Object.assign(sent, { cancelToken: undefined });
  if (way === 'dispatcher') {
    const { fetchOptions } = config as WithFetch;
    const dispatcher = fetchOptions?.dispatcher;
    const given = isDispatcher(dispatcher) ? dispatcher : undefined;
    const own = new AttemptDispatcher(route, ownHeader, given);
    sent.fetchOptions = { ...fetchOptions, dispatcher: own };
    sent.signal = attempt.signal;
    return { route, config: sent, dispatcher: own };
  }
  const asked = new AskedRequests();
  sent.httpAgent = new RoutedAgent(agentFor('http:', config.httpAgent as GivenAgent), route, asked);
  sent.httpsAgent = new RoutedAgent(
    agentFor('https:', config.httpsAgent as GivenAgent),
    route,
    asked,
  );
  const beforeRedirect: typeof sent.beforeRedirect = (options: RedirectOptions, ...rest) => {
    config.beforeRedirect?.(options, ...rest);
    route.follow(options);
  };
  sent.beforeRedirect = beforeRedirect;
  if (way === 'agents') {
    sent.signal = cheapSignal(settling, asked);
    if (Number(config.httpVersion) === 2 && route.place !== undefined) {
      const createConnection = connectorTo(instance, route.place);
      Object.assign(sent, { http2Options: { ...config.http2Options, createConnection } });
    }
  } else {
    sent.signal = attempt.signal;
    if (!headers.has('Host')) headers.set('Host', origin.host);
  }
  return { route, config: sent };
}

/** Key by key, for a spread of what axios makes takes five times as long. No adapter of axios's own looks for symbols. */
function copyOf(config: Config, way: Way): Config {
  if (way === 'address') return { ...config };
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(config)) copy[key] = config[key as keyof Config];
  return copy as unknown as Config;
}

/** Adapters add to them. The names need not be looked up anew: axios has made these. */
function headersFor(headers: AxiosHeaders): AxiosHeaders {
  return headers instanceof AxiosHeaders
    ? Object.assign(new AxiosHeaders(), headers)
    : new AxiosHeaders(headers);
}

/** It ends a request before that has a connection. */
class AgentsCancellation extends Cancellation {
  constructor(private readonly asked: AskedRequests) {
    super();
  }

  get isUnsent(): boolean {
    return this.asked.isUnsent;
  }
}

/** For axios's own `http` adapter, which listens to it and hands it to nobody. */
function cheapSignal(settling: Settling, asked: AskedRequests): AbortSignal {
  const cancellation = new AgentsCancellation(asked);
  settling.abortsTo(cancellation);
  return cancellation.signal;
}

/** Node, and fetch, give the names in small letters. Most answers tell of no load, and axios's look-up is a slow one. */
function headersOf({ headers }: AxiosResponse, isOfAxios: boolean): AxiosHeaders | undefined {
  if (isOfAxios && LOAD_HEADERS.every((name) => headers[name] === undefined)) return undefined;
  // As axios does later on: an adapter of the application's own may give a plain object.
  return AxiosHeaders.from(headers as AxiosHeaders);
}
