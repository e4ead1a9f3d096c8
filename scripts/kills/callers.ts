/** The ways to call, each as an application would set it up: nothing but the defaults. */
import { Agent as HttpAgent } from 'node:http';
import axios from 'axios';
import { type Client, type ClientDefaults, createClient } from 'fairlead';
import { wrapAxios } from 'fairlead/axios';
import { wrapFetch } from 'fairlead/fetch';
import { staticList } from 'fairlead/static';
import { fairleadInterceptor } from 'fairlead/undici';
import { Agent, getGlobalDispatcher, request } from 'undici';

export const METHODS = ['GET', 'PUT', 'POST'] as const;
export type Method = (typeof METHODS)[number];

export interface Work {
  readonly method: Method;
  readonly id: string;
  /** Of a PUT or a POST. */
  readonly body: string | undefined;
  /** It may be repeated, though its method may not: sabotage. */
  readonly idempotent: true | undefined;
}

export interface Caller {
  readonly name: CallerName;
  readonly client: Client;
  /** @returns the body of a good reply. */
  send(work: Work): Promise<string>;
  /** Closes the connections it kept. */
  close(): Promise<void>;
}

const MAKERS = { axios: axiosCaller, fetch: fetchCaller, undici: undiciCaller };
export type CallerName = keyof typeof MAKERS;
export const CALLERS = Object.keys(MAKERS) as readonly CallerName[];

/** One with a client of its own over the servers at these ports. */
export function makeCaller(
  name: CallerName,
  ports: readonly number[],
  options: ClientDefaults,
): Caller {
  const client = createClient({
    service: 'orders',
    discovery: staticList(ports.map((port) => ({ host: '127.0.0.1', port }))),
    ...options,
  });
  return { name, client, ...MAKERS[name](client) };
}

type Way = Pick<Caller, 'send' | 'close'>;

function axiosCaller(client: Client): Way {
  const httpAgent = new HttpAgent({ keepAlive: true });
  const http = wrapAxios(axios.create({ baseURL: 'http://orders', httpAgent }), client);
  return {
    async send({ method, id, body, idempotent }) {
      const { data } = await http.request<string>({
        method,
        url: `/work/${id}`,
        data: body,
        responseType: 'text',
        fairlead: { idempotent },
      });
      return data;
    },
    close: () => {
      httpAgent.destroy();
      return Promise.resolve();
    },
  };
}

function fetchCaller(client: Client): Way {
  const wrapped = wrapFetch(client);
  return {
    async send({ method, id, body, idempotent }) {
      const response = await wrapped(`http://orders/work/${id}`, {
        method,
        body: body ?? null,
        fairlead: { idempotent },
      });
      const text = await response.text();
      if (response.ok) return text;
      throw Object.assign(new Error('not ok'), { status: response.status });
    },
    close: () => getGlobalDispatcher().destroy(),
  };
}

function undiciCaller(client: Client): Way {
  const agent = new Agent();
  const dispatcher = agent.compose(fairleadInterceptor(client));
  return {
    async send({ method, id, body, idempotent }) {
      const { statusCode, body: reply } = await request(`http://orders/work/${id}`, {
        method,
        body: body ?? null,
        dispatcher,
        ...(idempotent && { headers: { 'idempotency-key': id } }),
      });
      const text = await reply.text();
      if (statusCode === 200) return text;
      throw Object.assign(new Error('not 200'), { statusCode });
    },
    close: () => agent.destroy(),
  };
}
