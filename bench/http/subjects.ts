/** What is compared: each makes one request and reads its answer. All keep connections, all take the backends in turn. */
import { Agent as HttpAgent } from 'node:http';
import axios from 'axios';
import { type Client, createClient } from 'fairlead';
import { wrapAxios } from 'fairlead/axios';
import { wrapFetch } from 'fairlead/fetch';
import { staticList } from 'fairlead/static';
import { fairleadInterceptor } from 'fairlead/undici';
import { Agent, BalancedPool, Pool, request } from 'undici';

type Send = () => Promise<unknown>;

/** @param ports of the backends. */
type Subject = (ports: readonly number[]) => Promise<Send> | Send;

export const SUBJECTS: Readonly<Record<string, Subject>> = {
  'undici Pools': (ports) => {
    const next = inTurn(origins(ports).map((origin) => new Pool(origin)));
    return async () => {
      const { body } = await next().request({ path: '/', method: 'GET' });
      return body.text();
    };
  },
  'undici, fairleadInterceptor': async (ports) => {
    const dispatcher = new Agent().compose(fairleadInterceptor(await clientOver(ports)));
    return async () => {
      const { body } = await dispatcher.request({
        origin: 'http://orders',
        path: '/',
        method: 'GET',
      });
      return body.text();
    };
  },
  'undici BalancedPool': (ports) => {
    const pool = new BalancedPool(origins(ports));
    return async () => {
      const { body } = await pool.request({ path: '/', method: 'GET' });
      return body.text();
    };
  },
  'undici request(url), one Agent': (ports) => {
    const dispatcher = new Agent();
    const next = inTurn(origins(ports).map((origin) => `${origin}/`));
    return async () => {
      const { body } = await request(next(), { dispatcher });
      return body.text();
    };
  },
  axios: (ports) => {
    const http = axios.create({ httpAgent: new HttpAgent({ keepAlive: true }) });
    const next = inTurn(origins(ports).map((origin) => `${origin}/`));
    return async () => (await http.get<unknown>(next())).data;
  },
  'axios, wrapAxios': async (ports) => {
    const httpAgent = new HttpAgent({ keepAlive: true });
    const http = wrapAxios(axios.create({ httpAgent }), await clientOver(ports));
    return async () => (await http.get<unknown>('http://orders/')).data;
  },
  fetch: (ports) => {
    const next = inTurn(origins(ports).map((origin) => `${origin}/`));
    return async () => (await fetch(next())).text();
  },
  'fetch, wrapFetch': async (ports) => {
    const wrapped = wrapFetch(await clientOver(ports));
    return async () => (await wrapped('http://orders/')).text();
  },
};

function origins(ports: readonly number[]): string[] {
  return ports.map((port) => `http://127.0.0.1:${port}`);
}

function inTurn<T>(all: readonly T[]): () => T {
  let next = 0;
  return () => {
    const each = all[next++ % all.length];
    if (each === undefined) throw new Error('nothing to take in turn');
    return each;
  };
}

/** With all defaults. */
async function clientOver(ports: readonly number[]): Promise<Client> {
  const client = createClient({
    service: 'orders',
    discovery: staticList(ports.map((port) => ({ host: '127.0.0.1', port }))),
  });
  await client.ready();
  return client;
}
