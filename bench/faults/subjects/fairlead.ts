import { Agent as HttpAgent } from 'node:http';
import axios from 'axios';
import { type Client, type ClientDefaults, createClient } from 'fairlead';
import { wrapAxios } from 'fairlead/axios';
import { wrapFetch } from 'fairlead/fetch';
import { staticList } from 'fairlead/static';
import { fairleadInterceptor } from 'fairlead/undici';
import { Agent, Pool } from 'undici';
import type { Send } from '../open-loop.js';
import { CALL_TIMEOUT_MS, check, type Subject, type Target } from './subject.js';

/** @param make the way to call. @param options beside the time for a call; all else is as it comes. */
function fairlead(
  setup: string,
  make: (client: Client) => Send,
  options: ClientDefaults = {},
): Subject {
  return {
    setup,
    async open(target) {
      const client = createClient({
        service: 'orders',
        discovery: staticList(target.ports.map((port) => ({ host: '127.0.0.1', port }))),
        timeoutMs: CALL_TIMEOUT_MS,
        ...options,
      });
      await client.ready();
      tellAttempts(client, target);
      return make(client);
    },
  };
}

function tellAttempts(client: Client, { onAttempt }: Target): void {
  const portOf = new Map(
    client.snapshot().instances.map(({ id, url }) => [id, Number(new URL(url).port)]),
  );
  client.on('attempt.ended', ({ instanceId, durationMs }) => {
    onAttempt(portOf.get(instanceId) ?? 0, Date.now() - durationMs);
  });
}

const byUndici = (client: Client): Send => {
  const dispatcher = new Agent().compose(fairleadInterceptor(client));
  return async (dueMs) => {
    const { statusCode, body } = await dispatcher.request({
      origin: 'http://orders',
      path: '/',
      method: 'GET',
      headers: { 'x-due': String(dueMs) },
    });
    await body.text();
    check(statusCode);
  };
};

const byFetch = (client: Client): Send => {
  const fetch = wrapFetch(client);
  return async (dueMs) => {
    const response = await fetch('http://orders/', { headers: { 'x-due': String(dueMs) } });
    await response.text();
    check(response.status);
  };
};

const byAxios = (client: Client): Send => {
  const httpAgent = new HttpAgent({ keepAlive: true });
  const http = wrapAxios(axios.create({ baseURL: 'http://orders', httpAgent }), client);
  return async (dueMs) => {
    const { status } = await http.get('/', { headers: { 'x-due': String(dueMs) } });
    check(status);
  };
};

/** Any function: here it asks an undici Pool per instance. */
const byCall = (client: Client): Send => {
  const pools = new Map<string, Pool>();
  const poolOf = (url: string): Pool => {
    const known = pools.get(url) ?? new Pool(url);
    pools.set(url, known);
    return known;
  };
  return (dueMs) =>
    client.call(
      async ({ instance, signal }) => {
        const { statusCode, body } = await poolOf(instance.url).request({
          path: '/',
          method: 'GET',
          headers: { 'x-due': String(dueMs) },
          signal,
        });
        await body.text();
        if (statusCode !== 200) throw Object.assign(new Error('not 200'), { status: statusCode });
      },
      { idempotent: true },
    );
};

const DEFAULTS = 'defaults, `timeoutMs` 2,000';

export const FAIRLEAD: Readonly<Record<string, Subject>> = {
  'Fairlead, call': fairlead(DEFAULTS, byCall),
  'Fairlead, undici': fairlead(DEFAULTS, byUndici),
  'Fairlead, fetch': fairlead(DEFAULTS, byFetch),
  'Fairlead, axios': fairlead(DEFAULTS, byAxios),
  'Fairlead, undici, hedged': fairlead('`hedge: true`; else the same', byUndici, { hedge: true }),
  'Fairlead, undici, two attempts': fairlead(
    '`retry: { maxAttempts: 2 }`; else the same',
    byUndici,
    {
      retry: { maxAttempts: 2 },
    },
  ),
  'Fairlead, undici, no retries': fairlead('`retry: false`; else the same', byUndici, {
    retry: false,
  }),
};
