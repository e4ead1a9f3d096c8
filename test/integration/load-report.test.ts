import type { OutgoingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import axios, { AxiosError, type AxiosInstance, type InternalAxiosRequestConfig } from 'axios';
import { describe, expect, it, vi } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { wrapFetch } from '../../src/clients/fetch.js';
import type { Candidate, Client, Policy, ReceivedReport } from '../../src/index.js';
import { clientOver, readBody, serve, type TestServer } from './servers.js';

const FIGURES = { qps: 100.5, utilization: 0.3, errorsPerSecond: 1 };
const TEXT = 'TEXT cpu_utilization=0.3, rps_fractional=100.5, eps=1';
const REPORTS: [string, OutgoingHttpHeaders][] = [
  ['text', { 'endpoint-load-metrics': TEXT }],
  [
    'JSON',
    { 'Endpoint-Load-Metrics': 'JSON {"cpuUtilization":0.3,"rpsFractional":100.5,"eps":1}' },
  ],
  ['text under the older name', { 'x-endpoint-load-metrics': TEXT }],
];

const answering = (status: number, headers: OutgoingHttpHeaders): Promise<TestServer> =>
  serve((request, response) => {
    void readBody(request).then(() => response.writeHead(status, headers).end('body'));
  });

/** A server that redirects `/other` to that port and `/own` to itself, and reports its load where it does not. */
const redirecting = (status: number, otherPort: number): Promise<TestServer> =>
  serve((request, response) => {
    const location = { '/other': `http://127.0.0.1:${otherPort}/`, '/own': '/end' }[
      request.url ?? ''
    ];
    if (location !== undefined) response.writeHead(status, { location });
    else response.setHeader('endpoint-load-metrics', TEXT);
    response.end();
  });

/** A client that goes through its servers in order, and what it has on record of their load. */
function watched(servers: readonly { readonly port: number }[]): {
  readonly client: Client;
  readonly reports: () => (ReceivedReport | undefined)[];
} {
  let known: readonly Candidate[] = [];
  const policy: Policy = {
    name: 'first-untried',
    build: (candidates) => {
      known = candidates;
      return {
        pick: ({ excluded }) => candidates.find(({ instance }) => !excluded.has(instance.id)),
      };
    },
  };
  return {
    client: clientOver(servers, { policy }),
    reports: () => known.map(({ state }) => state.report),
  };
}

function axiosOver(client: Client): AxiosInstance {
  return wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
}

describe('a load report in a response to axios', () => {
  it.each(REPORTS)('as %s reaches the record', async (_what, headers) => {
    const { client, reports } = watched([await answering(200, headers)]);
    await axiosOver(client).get('/');
    expect(reports()).toMatchObject([FIGURES]);
    expect(reports()[0]?.atMs).toBeGreaterThan(0);
  });

  it.each([[404], [429], [500], [503]])('counts with status %i, which rejects', async (status) => {
    const { client, reports } = watched([
      await answering(status, { 'endpoint-load-metrics': TEXT }),
    ]);
    await expect(axiosOver(client).post('/', {})).rejects.toMatchObject({ response: { status } });
    expect(reports()).toMatchObject([FIGURES]);
  });

  it('of each attempt goes to the record of its own instance', async () => {
    const of = (qps: number): OutgoingHttpHeaders => ({
      'endpoint-load-metrics': `TEXT cpu_utilization=0.5,rps_fractional=${qps}`,
    });
    const { client, reports } = watched([await answering(503, of(1)), await answering(200, of(2))]);
    expect((await axiosOver(client).get('/')).status).toBe(200);
    expect(reports()).toMatchObject([{ qps: 1 }, { qps: 2 }]);
  });

  it('counts at the headers of a stream', async () => {
    const { client, reports } = watched([await answering(200, { 'endpoint-load-metrics': TEXT })]);
    const { data } = await axiosOver(client).get<Readable>('/', { responseType: 'stream' });
    expect(reports()).toMatchObject([FIGURES]);
    data.destroy();
  });

  it.each([
    ['there is none', {}],
    ['it cannot be read', { 'endpoint-load-metrics': 'TEXT cpu_utilization=-1' }],
    ['it is too long', { 'endpoint-load-metrics': `${TEXT},a=${'1'.repeat(5_000)}` }],
  ])('changes nothing when %s', async (_what, headers) => {
    const { client, reports } = watched([await answering(200, headers)]);
    expect((await axiosOver(client).get('/')).status).toBe(200);
    expect(reports()).toEqual([undefined]);
  });

  it("of a redirect's end counts when the instance itself gave it, and not another server's", async () => {
    const other = await answering(200, { 'endpoint-load-metrics': TEXT });
    const server = await redirecting(302, other.port);
    const { client, reports } = watched([server]);
    await axiosOver(client).get('/other');
    expect(other.seen).toEqual(['GET /']);
    expect(reports()).toEqual([undefined]);
    await axiosOver(client).get('/own');
    expect(reports()).toMatchObject([FIGURES]);
  });

  it('is found in the plain headers of an adapter of the application', async () => {
    const { client, reports } = watched([{ port: 1 }]);
    const http = axios.create({ baseURL: 'http://orders' });
    http.defaults.adapter = (config: InternalAxiosRequestConfig) => {
      const headers = { 'Endpoint-Load-Metrics': TEXT };
      const response = { status: 418, statusText: '', headers, data: '', config };
      return Promise.reject(new AxiosError('refused', undefined, config, undefined, response));
    };
    await expect(wrapAxios(http, client).get('/')).rejects.toThrow('refused');
    expect(reports()).toMatchObject([FIGURES]);
  });
});

describe('a load report in a response to fetch', () => {
  it.each(REPORTS)('as %s reaches the record', async (_what, headers) => {
    const { client, reports } = watched([await answering(200, headers)]);
    await wrapFetch(client)('http://orders/');
    expect(reports()).toMatchObject([FIGURES]);
  });

  it.each([[404], [429], [503]])('counts with status %i', async (status) => {
    const { client, reports } = watched([
      await answering(status, { 'endpoint-load-metrics': TEXT }),
    ]);
    const reply = await wrapFetch(client)('http://orders/', { method: 'POST' });
    expect(reply.status).toBe(status);
    expect(reports()).toMatchObject([FIGURES]);
  });

  it.each([
    ['there is none', {}],
    ['it cannot be read', { 'endpoint-load-metrics': 'JSON {"cpu_utilization":' }],
  ])('changes nothing when %s', async (_what, headers) => {
    const { client, reports } = watched([await answering(200, headers)]);
    expect((await wrapFetch(client)('http://orders/')).status).toBe(200);
    expect(reports()).toEqual([undefined]);
  });

  it.each([['GET'], ['POST']])(
    "of the end of a %s's redirect counts when the instance itself gave it, and not another server's",
    async (method) => {
      const other = await answering(200, { 'endpoint-load-metrics': TEXT });
      const server = await redirecting(303, other.port);
      const { client, reports } = watched([server]);
      await wrapFetch(client)('http://orders/other', { method });
      expect(other.seen).toEqual(['GET /']);
      expect(reports()).toEqual([undefined]);
      await wrapFetch(client)('http://orders/own', { method });
      expect(reports()).toMatchObject([FIGURES]);
    },
  );

  it('is not asked of a fetch of the caller that gives less than a Response', async () => {
    const { client, reports } = watched([{ port: 1 }]);
    const own = vi.fn(() => Promise.resolve({ ok: true } as Response));
    expect(await wrapFetch(client, { fetch: own })('http://orders/')).toEqual({ ok: true });
    expect(reports()).toEqual([undefined]);
  });
});
