/** Redirects below a wrapped axios: it is follow-redirects, or fetch, that follows them. */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import axios, { type AxiosError, type AxiosRequestConfig, type AxiosResponse } from 'axios';
import { describe, expect, it } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { attemptsOf, createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import { clientOver, closeAfterwards, readBody, serve, type TestServer } from './servers.js';
import { serveTls } from './tls-servers.js';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** Answers `/to/<status>/<location>` with that redirect, and anything else with what it saw. */
const redirecting = (): Promise<TestServer> =>
  serve((request, response) => {
    void readBody(request).then((body) => {
      const [, status, location] = /^\/to\/(\d+)\/(.*)$/.exec(request.url ?? '') ?? [];
      if (location !== undefined) {
        response.writeHead(Number(status), { location: decodeURIComponent(location) }).end();
        return;
      }
      const { method, url, headers } = request;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ method, url, headers, body }));
    });
  });
const to = (status: number, location: string): string =>
  `/to/${String(status)}/${encodeURIComponent(location)}`;

const LOCATIONS = ['/end', 'http://orders/end', '//orders/end', 'http://ORDERS/end'];

describe.each(['http', 'fetch'])('redirects over the %s adapter', (adapter) => {
  it.each([301, 302, 303, 307, 308])(
    '%d: methods, bodies and headers are as without Fairlead',
    async (status) => {
      const server = await redirecting();
      const origin = `http://127.0.0.1:${String(server.port)}`;
      const http = wrapAxios(axios.create({ adapter }), clientOver([server]));
      const config: AxiosRequestConfig = { headers: { Authorization: 'Bearer t', 'X-Own': 'yes' } };
      for (const method of ['get', 'post', 'put', 'delete']) {
        const body = method === 'get' || method === 'delete' ? undefined : 'text';
        const direct = await axios.request<Seen>({
          ...config,
          adapter,
          method,
          url: origin + to(status, '/end'),
          data: body,
        });
        for (const location of LOCATIONS) {
          const url = `http://orders${to(status, location)}`;
          const { data } = await http.request<Seen>({ ...config, method, url, data: body });
          expect(data).toEqual({
            ...direct.data,
            headers: { ...direct.data.headers, host: 'orders' },
          });
        }
      }
      const paths = server.seen.filter((line) => !line.endsWith('/end'));
      expect(paths).toHaveLength(4 * (1 + LOCATIONS.length)); // each once: none was repeated
    },
  );

  it('are not followed with maxRedirects: 0', async () => {
    const server = await redirecting();
    const http = wrapAxios(
      axios.create({ adapter, baseURL: 'http://orders' }),
      clientOver([server]),
    );
    const { status, headers } = await http.get(to(302, '/end'), {
      maxRedirects: 0,
      validateStatus: (code) => code < 400,
    });
    expect(status).toBe(302);
    expect(headers['location']).toBe('/end');
    expect(server.seen).toHaveLength(1);
  });

  it('to another host leave the service, its deadline header and its credentials behind', async () => {
    const [server, other] = [await redirecting(), await redirecting()];
    const client = clientOver([server]);
    const http = wrapAxios(axios.create({ adapter, baseURL: 'http://orders' }), client, {
      deadlineHeader: true,
    });
    const there = `http://127.0.0.1:${String(other.port)}/end`;
    const { data } = await http.get<Seen>(to(302, there), {
      headers: { Authorization: 'Bearer t', 'X-Own': 'yes' },
    });
    expect(data.url).toBe('/end');
    expect(data.headers).toMatchObject({ 'x-own': 'yes', host: `127.0.0.1:${String(other.port)}` });
    expect(data.headers).not.toHaveProperty('authorization');
    expect(data.headers).not.toHaveProperty('x-request-timeout-ms');
    expect(server.seen).toHaveLength(1);
  });

  it('to another host are refused when strict, without a second try', async () => {
    const [server, other] = [await redirecting(), await redirecting()];
    const client = clientOver([server, server]);
    const http = wrapAxios(axios.create({ adapter, baseURL: 'http://orders' }), client, {
      strict: true,
    });
    const there = `http://127.0.0.1:${String(other.port)}/end`;
    const error = await http.get(to(302, there)).catch((reason: unknown) => reason as AxiosError);
    expect(error).toMatchObject({
      isAxiosError: true,
      code: 'ERR_FAIRLEAD_UNKNOWN_HOST',
      config: { url: to(302, there) },
    });
    expect((error as AxiosError).cause).toMatchObject({ code: 'ERR_FAIRLEAD_UNKNOWN_HOST' });
    expect(attemptsOf(error)).toMatchObject([{ outcome: 'ignored' }]);
    expect([server.seen.length, other.seen.length]).toEqual([1, 0]);
    expect((await http.get<Seen>(to(302, '/end'))).data.url).toBe('/end');
  });

  it('to the address of the instance are no other host', async () => {
    const server = await redirecting();
    const http = wrapAxios(
      axios.create({ adapter, baseURL: 'http://orders' }),
      clientOver([server]),
      {
        strict: true,
      },
    );
    const there = `http://127.0.0.1:${String(server.port)}/end`;
    expect((await http.get<Seen>(to(302, there))).data.url).toBe('/end');
  });
});

describe('redirects of a wrapped axios', () => {
  it('are told to beforeRedirect as they would be without Fairlead', async () => {
    const server = await redirecting();
    const told: unknown[] = [];
    const beforeRedirect: AxiosRequestConfig['beforeRedirect'] = (options, { statusCode }) => {
      const { hostname, port, path, protocol } = options as Record<string, unknown>;
      told.push({ hostname, port, path, protocol, statusCode });
      (options['headers'] as Record<string, unknown>)['x-added'] = 'yes';
    };
    const http = wrapAxios(
      axios.create({ baseURL: 'http://orders', beforeRedirect }),
      clientOver([server]),
    );
    const { data } = await http.get<Seen>(to(302, 'http://orders:81/end'));
    const protocol = 'http:';
    expect(told).toEqual([
      { hostname: 'orders', port: 81, path: '/end', protocol, statusCode: 302 },
    ]);
    expect(data.headers).toMatchObject({ host: 'orders:81', 'x-added': 'yes' });
  });

  it("stay on the instance where they lead to the user's own Host", async () => {
    const server = await redirecting();
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver([server]), {
      strict: true,
    });
    const { data } = await http.get<Seen>(to(302, '/end'), { headers: { Host: 'shop.invalid' } });
    expect(data).toMatchObject({ url: '/end', headers: { host: 'shop.invalid' } });
  });

  it.each(['http://orders/end', '/end', 'https://orders/end'])(
    'to %s keep credentials and TLS where the instance speaks it',
    async (location) => {
      const seen: (string | undefined)[] = [];
      const { spec } = await serveTls({ cert: 'orders' });
      const client = createClient({ service: 'orders', discovery: memoryAdapter([spec]) });
      closeAfterwards(client);
      const ca = readFileSync(new URL('tls/authority.pem', import.meta.url));
      const httpsAgent = new Agent({ ca });
      const http = wrapAxios(axios.create({ baseURL: 'http://orders', httpsAgent }), client);
      http.defaults.beforeRedirect = (options: Record<string, unknown>) => {
        seen.push(String(options['protocol']));
      };
      const response: AxiosResponse<Record<string, unknown>> = await http.get(`/to?${location}`, {
        auth: { username: 'me', password: 'word' },
      });
      expect(response.data).toMatchObject({ url: '/end', servername: 'orders', host: 'orders' });
      expect(seen).toHaveLength(1);
      const { request } = response as { request: { getHeader(name: string): unknown } };
      expect(request.getHeader('authorization')).toBe(
        `Basic ${Buffer.from('me:word').toString('base64')}`,
      );
    },
  );

  it('to a foreign host do not take the name of the service along to TLS', async () => {
    const there = await serveTls({ cert: 'address' });
    const here = await serveTls({ cert: 'internal' });
    const client = createClient({
      service: 'orders',
      discovery: memoryAdapter([here.spec]),
      tls: { servername: 'orders.internal.test' },
    });
    closeAfterwards(client);
    const ca = readFileSync(new URL('tls/authority.pem', import.meta.url));
    const http = wrapAxios(
      axios.create({ baseURL: 'https://orders', httpsAgent: new Agent({ ca }) }),
      client,
    );
    const location = `https://127.0.0.1:${String(there.port)}/end`;
    const { data } = await http.get<Record<string, unknown>>(`/to?${location}`);
    expect(data).toMatchObject({ url: '/end', servername: '' });
    expect(here.seen).toMatchObject([{ servername: 'orders.internal.test', host: 'orders' }]);
  });
});
