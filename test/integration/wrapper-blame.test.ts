/** Whom the wrappers blame, and whom not, for what the caller has done. */
import * as http from 'node:http';
import { createRequire } from 'node:module';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import axios, { type AxiosRequestConfig } from 'axios';
import { expect, it, vi } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import type { Client } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import { agentsOver, answerTo, ask, clientOn, pending } from './http-agents-rig.js';
import { clientOver, serve } from './servers.js';

/** Headers and a part of the body, and then nothing. */
const stalls: http.RequestListener = (_request, response) => {
  response.writeHead(200, { 'content-length': 10 });
  response.write('ab');
};

/** The same, and a cut when the reader has had its part. */
const cuts: http.RequestListener = (request, response) => {
  stalls(request, response);
  setTimeout(() => request.socket.resetAndDestroy(), 50);
};

const failing = (): Writable =>
  new Writable({
    write: (_chunk, _encoding, done) => {
      done(Object.assign(new Error('no space left'), { code: 'ENOSPC', syscall: 'write' }));
    },
  });

const sink = (onChunk: () => void = () => undefined): Writable =>
  new Writable({
    write: (_chunk, _encoding, done) => {
      onChunk();
      done();
    },
  });

/** Of the only instance, once nothing is in flight. */
async function successRatio(client: Client): Promise<number | undefined> {
  await vi.waitFor(() => {
    expect(pending(client)).toEqual([0]);
  });
  return client.snapshot().instances[0]?.successRatio;
}

async function readStream(client: Client): Promise<Readable> {
  const api = wrapAxios(axios.create({ adapter: 'http' }), client);
  return (await api.get<Readable>('http://orders/', { responseType: 'stream' })).data;
}

it('leaseAgents: nobody for a response that its reader destroys with an error', async () => {
  const client = clientOver([await serve(stalls)]);
  const request = ask(agentsOver(client)).on('error', () => undefined);
  const response = await answerTo(request);
  response
    .on('error', () => undefined)
    .on('data', () => response.destroy(new Error('more than I take')));
  expect(await successRatio(client)).toBe(1);
});

it('leaseAgents: nobody for a pipeline that is aborted', async () => {
  const client = clientOver([await serve(stalls)]);
  const response = await answerTo(ask(agentsOver(client)).on('error', () => undefined));
  const given = new AbortController();
  const piped = pipeline(
    response,
    sink(() => {
      given.abort();
    }),
    { signal: given.signal },
  );
  await expect(piped).rejects.toThrow('abort');
  expect(await successRatio(client)).toBe(1);
});

it('leaseAgents: the instance for a cut', async () => {
  const client = clientOver([await serve(cuts)]);
  const response = await answerTo(ask(agentsOver(client)).on('error', () => undefined));
  await expect(pipeline(response, sink())).rejects.toThrow();
  expect(await successRatio(client)).toBeLessThan(1);
});

it('axios: nobody where the sink of a stream fails', async () => {
  const client = clientOver([await serve(stalls)]);
  await expect(pipeline(await readStream(client), failing())).rejects.toThrow('no space');
  expect(await successRatio(client)).toBe(1);
});

it('axios: nobody where the pipeline of a stream is aborted', async () => {
  const client = clientOver([await serve(stalls)]);
  const given = new AbortController();
  const to = sink(() => {
    given.abort();
  });
  const piped = pipeline(await readStream(client), to, { signal: given.signal });
  await expect(piped).rejects.toThrow('abort');
  expect(await successRatio(client)).toBe(1);
});

it.each<[string, http.RequestListener]>([
  ['a cut', cuts],
  [
    'what is no gzip',
    (_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.end('no gzip at all');
    },
  ],
  [
    'gzip that is cut',
    (request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': 100 });
      response.write(gzipSync('x'.repeat(1_000)).subarray(0, 15));
      setTimeout(() => request.socket.resetAndDestroy(), 50);
    },
  ],
])('axios: the instance for %s', async (_what, listener) => {
  const client = clientOver([await serve(listener)]);
  await expect(pipeline(await readStream(client), sink())).rejects.toThrow();
  expect(await successRatio(client)).toBeLessThan(1);
});

it('leaseAgents: a request aborted before it was made fails at once, with no list known', async () => {
  const agents = agentsOver(clientOn(memoryAdapter()));
  const request = http.get('http://orders/', { agent: agents.http, signal: AbortSignal.abort() });
  expect(await failureOf(request)).toMatchObject({ name: 'AbortError' });
});

it('leaseAgents: nobody for a request aborted before it was made', async () => {
  const server = await serve(() => undefined);
  await server.close();
  const client = clientOver([server]);
  const { http: agent } = agentsOver(client);
  const request = http.get('http://orders/', { agent, signal: AbortSignal.abort() });
  expect(await failureOf(request)).toMatchObject({ name: 'AbortError' });
  expect(await successRatio(client)).toBe(1);
});

it('axios: nobody for a 200 that validateStatus rejects, and it is not asked for again', async () => {
  const servers = [
    await serve((_request, response) => response.end('x')),
    await serve((_request, response) => response.end('x')),
  ];
  const client = clientOver(servers);
  const api = wrapAxios(axios.create(), client);
  const got = api.get('http://orders/', { validateStatus: (status) => status === 201 });
  await expect(got).rejects.toThrow('status code 200');
  expect(servers.flatMap(({ seen }) => seen)).toHaveLength(1);
  expect(client.snapshot().instances.map((each) => each.successRatio)).toEqual([1, 1]);
});

it('axios: a transport of its own that follows redirects gets to where they lead', async () => {
  const foreign = await serve((_request, response) => response.end('foreign'));
  const server = await serve((request, response) => {
    const location = `http://localhost:${String(foreign.port)}/x`;
    if (request.url !== '/x') response.writeHead(302, { location });
    response.end('instance');
  });
  const require = createRequire(import.meta.url); // it has no types of its own
  const { http: transport } = require('follow-redirects') as { readonly http: unknown };
  const config: AxiosRequestConfig & { transport: unknown } = { adapter: 'http', transport };
  const api = wrapAxios(axios.create(config), clientOver([server]));
  expect((await api.get('http://orders/')).data).toBe('foreign');
});

function failureOf(request: http.ClientRequest): Promise<Error> {
  return new Promise((resolve) => request.on('error', resolve));
}
