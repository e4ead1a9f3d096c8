/** The ways to call, each with a client of its own, set up as differently as can be. */
import { Agent as HttpAgent } from 'node:http';
import axios from 'axios';
import { type Client, type ClientDefaults, createClient, type DiscoveryAdapter } from 'fairlead';
import { wrapAxios } from 'fairlead/axios';
import { wrapFetch } from 'fairlead/fetch';
import { FairleadAgent, fairleadInterceptor } from 'fairlead/undici';
import { Agent, type Dispatcher, getGlobalDispatcher, request } from 'undici';

export interface Work {
  readonly method: 'GET' | 'POST';
  readonly id: string;
  /** `/work/...` */
  readonly path: string;
  readonly signal: AbortSignal;
}

export interface Caller {
  readonly name: string;
  readonly client: Client;
  /** How long it waits for a body, where its call is over at the headers. */
  readonly bodyMs: number;
  /** @returns the whole body of a good reply. */
  send(work: Work): Promise<string>;
  /** Closes the connections it kept. */
  readonly close: () => Promise<void>;
}

export const TIMEOUT_MS = 1_500;
const BODY_MS = 1_500;
export const MAX_ATTEMPTS = 3;

export function makeCallers(discovery: DiscoveryAdapter): readonly Caller[] {
  const clientWith = (options: ClientDefaults): Client =>
    createClient({
      service: 'orders',
      discovery,
      retry: { maxAttempts: MAX_ATTEMPTS },
      timeoutMs: TIMEOUT_MS,
      shrinkGraceMs: 1_000,
      slowStartMs: 2_000,
      ...options,
    });
  return [
    axiosCaller(
      clientWith({
        policy: 'adaptive',
        hedge: { delayMs: 80 },
        healthCheck: { http: { path: '/health' }, intervalMs: 1_000, timeoutMs: 500 },
        maxConcurrency: { perInstance: 'adaptive' },
      }),
    ),
    fetchCaller(
      clientWith({
        policy: 'p2c',
        hedge: true,
        attemptTimeoutMs: 500,
        breaker: { maxOpenMs: 5_000 },
        maxConcurrency: { client: 200, perInstance: 60 },
      }),
    ),
    callCaller(
      clientWith({
        policy: 'peak-ewma',
        hedge: { quantileRatio: 0.9, maxRatio: 0.1 },
        healthCheck: { tcp: true, intervalMs: 500, timeoutMs: 300 },
        maxConcurrency: { client: 'adaptive' },
        inheritDeadline: true,
      }),
    ),
    interceptorCaller(
      clientWith({
        policy: 'least-request',
        hedge: { delayMs: 80 },
        maxConcurrency: { client: 200, perInstance: 'adaptive' },
      }),
    ),
    agentCaller(
      clientWith({
        policy: 'weighted-round-robin',
        attemptTimeoutMs: 500,
        healthCheck: { http: { path: '/health' }, intervalMs: 1_000, timeoutMs: 500 },
      }),
    ),
  ];
}

function axiosCaller(client: Client): Caller {
  const httpAgent = new HttpAgent({ keepAlive: true });
  const http = wrapAxios(axios.create({ baseURL: 'http://orders', httpAgent }), client);
  return {
    name: 'axios',
    client,
    bodyMs: 0,
    async send({ method, id, path, signal }) {
      const data = method === 'POST' ? id : undefined;
      const config = { method, url: path, data, signal, responseType: 'text' } as const;
      return (await http.request<string>(config)).data;
    },
    close: () => {
      httpAgent.destroy();
      return Promise.resolve();
    },
  };
}

function fetchCaller(client: Client): Caller {
  const wrapped = wrapFetch(client);
  return {
    name: 'fetch',
    client,
    bodyMs: BODY_MS,
    async send({ method, id, path, signal }) {
      const init = { method, signal, ...(method === 'POST' && { body: id }) };
      const response = await wrapped(`http://orders${path}`, init);
      if (!response.ok) {
        await response.body?.cancel();
        throw Object.assign(new Error('not ok'), { status: response.status });
      }
      return await readText(response);
    },
    close: () => getGlobalDispatcher().destroy(),
  };
}

/** As an application must: what the caller does after the headers has no limit but its own. */
async function readText({ body }: Response): Promise<string> {
  if (body === null) return '';
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  const late = new BodyError('ERR_BODY_TIMEOUT');
  const timer = setTimeout(() => void reader.cancel(late).catch(() => undefined), BODY_MS);
  const startMs = performance.now();
  try {
    const decoder = new TextDecoder();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (!done) text += decoder.decode(value, { stream: true });
      else if (performance.now() - startMs >= BODY_MS) throw late;
      else return text;
    }
  } catch (error) {
    throw error instanceof BodyError ? error : new BodyError('ERR_BODY_CUT', error);
  } finally {
    clearTimeout(timer);
  }
}

/** After the call itself had succeeded. */
export class BodyError extends Error {
  constructor(
    readonly code: string,
    cause?: unknown,
  ) {
    super(code, { cause });
  }
}

function callCaller(client: Client): Caller {
  const dispatcher = new Agent({ connections: 50 });
  return {
    name: 'call (undici)',
    client,
    bodyMs: 0,
    send: ({ method, id, path, signal: caller }) =>
      client.call(
        async ({ instance, signal }) => {
          const body = method === 'POST' ? id : null;
          const reply = await request(instance.url + path, { method, body, signal, dispatcher });
          const text = await reply.body.text();
          if (reply.statusCode === 200) return text;
          throw Object.assign(new Error('not 200'), { statusCode: reply.statusCode });
        },
        { idempotent: method === 'GET', signal: caller },
      ),
    close: () => dispatcher.destroy(),
  };
}

function interceptorCaller(client: Client): Caller {
  const agent = new Agent({ connections: 50 });
  return {
    name: 'undici',
    client,
    bodyMs: BODY_MS,
    send: sendingBy(agent.compose(fairleadInterceptor(client))),
    close: () => agent.destroy(),
  };
}

function agentCaller(client: Client): Caller {
  const agent = new FairleadAgent(client, { pool: { connections: 50 } });
  return {
    name: 'undici, agent',
    client,
    bodyMs: BODY_MS,
    send: sendingBy(agent),
    close: () => agent.destroy(),
  };
}

function sendingBy(dispatcher: Dispatcher): Caller['send'] {
  return async ({ method, id, path, signal }) => {
    const body = method === 'POST' ? id : null;
    const reply = await request(`http://orders${path}`, { method, body, signal, dispatcher });
    if (reply.statusCode === 200) return await textInTime(reply.body);
    await reply.body.dump();
    throw Object.assign(new Error('not 200'), { statusCode: reply.statusCode });
  };
}

/** undici's `bodyTimeout` is of each pause in it, not of the whole. */
async function textInTime(body: Dispatcher.ResponseData['body']): Promise<string> {
  const late = new BodyError('ERR_BODY_TIMEOUT');
  const timer = setTimeout(() => body.destroy(late), BODY_MS);
  try {
    return await body.text();
  } catch (error) {
    throw error === late ? late : new BodyError('ERR_BODY_CUT', error);
  } finally {
    clearTimeout(timer);
  }
}
