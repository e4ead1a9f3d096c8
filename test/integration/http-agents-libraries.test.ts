/** Libraries of others through the agents of `leaseAgents`, as their users configure them. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { spawn } from 'node:child_process';
import axios from 'axios';
import got from 'got';
import nodeFetch from 'node-fetch';
import superagent from 'superagent';
import { describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { LeaseAgents } from '../../src/clients/http.js';
import { memoryAdapter } from '../../src/testing.js';
import { agentsOver, clientOn, fetchText, pending, until } from './http-agents-rig.js';
import { clientOver, closeAfterwards, readBody, refusedPort, serve } from './servers.js';

type Send = (agents: LeaseAgents, path: string, body?: string) => Promise<string>;

const LIBRARIES: Record<string, Send> = {
  got: (agents, path, body) =>
    got(`http://orders${path}`, {
      agent: agents,
      ...(body !== undefined && { method: 'POST', body }),
      retry: { backoffLimit: 1 },
    }).text(),
  superagent: async (agents, path, body) => {
    const request =
      body === undefined
        ? superagent.get(`http://orders${path}`)
        : superagent.post(`http://orders${path}`).type('text/plain').send(body);
    return (await request.agent(agents.http).retry(2).buffer(true)).text;
  },
  'node-fetch': async (agents, path, body) => {
    const response = await nodeFetch(`http://orders${path}`, {
      agent: ({ protocol }) => (protocol === 'https:' ? agents.https : agents.http),
      ...(body !== undefined && { method: 'POST', body }),
    });
    return response.text();
  },
  'axios, unwrapped': async (agents, path, body) => {
    const { data } = await axios.request<string>({
      url: `http://orders${path}`,
      httpAgent: agents.http,
      httpsAgent: agents.https,
      proxy: false,
      ...(body !== undefined && { method: 'POST', data: body }),
    });
    return data;
  },
};

/** Answers with method, Host and body, or redirects. */
const echo: RequestListener = (request, response) => {
  if (request.url === '/from') {
    response.writeHead(302, { location: '/to' }).end();
    return;
  }
  void readBody(request).then((body) => {
    response.setHeader('content-type', 'text/plain');
    response.end(
      `${request.method ?? ''} ${request.headers.host ?? ''} ${request.url ?? ''} ${body}`,
    );
  });
};

describe.each(Object.entries(LIBRARIES))('%s', (_name, send) => {
  it('sends to the instances in turn, the URL as it is, and follows redirects', async () => {
    const servers = [await serve(echo), await serve(echo)];
    const client = clientOver(servers);
    const agents = agentsOver(client);
    for (let i = 0; i < 4; i++) expect(await send(agents, '/x')).toBe('GET orders /x ');
    expect(await send(agents, '/y', 'body')).toBe('POST orders /y body');
    expect(await send(agents, '/from')).toBe('GET orders /to ');
    expect(servers.map(({ seen }) => seen.length).sort()).toEqual([3, 4]);
    expect(pending(client)).toEqual([0, 0]);
  });

  it('fails no call for an instance that is dead, POST included', async () => {
    const [one, two, dead] = [await serve(echo), await serve(echo), await refusedPort()];
    const client = clientOver([one, two, { port: dead }]);
    const agents = agentsOver(client);
    for (let i = 0; i < 12; i++) expect(await send(agents, '/', 'b')).toBe('POST orders / b');
    expect(client.snapshot().instances[2]?.attempts).toBeGreaterThan(1);
    expect(one.seen.length + two.seen.length).toBe(12);
  });
});

describe('libraries that retry', () => {
  it.each(['got', 'superagent'])('%s picks anew, and finds an instance that can', async (name) => {
    const failing = await serve((_request, response) => response.writeHead(503).end());
    const good = await serve(echo);
    const client = clientOver([failing, good]);
    const agents = agentsOver(client);
    const send = LIBRARIES[name];
    for (let i = 0; i < 6; i++) expect(await send?.(agents, '/x')).toBe('GET orders /x ');
    expect(failing.seen.length).toBeGreaterThan(0);
    expect(client.snapshot().instances[0]?.successRatio).toBeLessThan(0.5);
  });
});

describe('aborts', () => {
  it('of got: a cancel blames nobody, a timeout the instance that did not answer', async () => {
    const server = await serve(() => {});
    const client = clientOn(memoryAdapter([server.spec]));
    const agents = agentsOver(client);
    const controller = new AbortController();
    const options = { agent: agents, retry: { limit: 0 } };
    const cancelled = got('http://orders/', { ...options, signal: controller.signal });
    const rejected = expect(cancelled).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    await until(() => server.seen.length === 1);
    controller.abort();
    await rejected;
    expect(client.snapshot().instances[0]).toMatchObject({ pending: 0, successRatio: 1 });
    const late = got('http://orders/', { ...options, timeout: { request: 100 } });
    await expect(late).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    expect(client.snapshot().instances[0]?.pending).toBe(0);
    expect(client.snapshot().instances[0]?.successRatio).toBeLessThan(1);
  });

  it('of node-fetch blame nobody', async () => {
    const server = await serve(() => {});
    const client = clientOn(memoryAdapter([server.spec]));
    const controller = new AbortController();
    const { http } = agentsOver(client);
    const options = { agent: http, signal: controller.signal };
    const rejected = expect(nodeFetch('http://orders/', options)).rejects.toThrow('aborted');
    await until(() => server.seen.length === 1);
    controller.abort();
    await rejected;
    expect(client.snapshot().instances[0]).toMatchObject({ pending: 0, successRatio: 1 });
  });
});

describe('WebSocket', () => {
  it('is in flight until it closes, and goes to another instance where one is dead', async () => {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket) => socket.on('message', (data: Buffer) => socket.send(data)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closeAfterwards({ close: () => new Promise((resolve) => server.close(() => resolve())) });
    const { port } = server.address() as AddressInfo;
    const client = clientOn(
      memoryAdapter([
        { host: '127.0.0.1', port: await refusedPort() },
        { host: '127.0.0.1', port, priority: 1 },
      ]),
    );
    const agents = agentsOver(client);
    const socket = new WebSocket('ws://orders/', { agent: agents.http });
    await once(socket, 'open');
    socket.send('hello');
    const [data] = (await once(socket, 'message')) as [Buffer];
    expect(data.toString()).toBe('hello');
    expect(pending(client)).toEqual([0, 1]);
    expect(client.snapshot().instances[1]?.ewmaMs).toBeGreaterThan(0); // answered
    socket.close();
    await once(socket, 'close');
    await until(() => pending(client)[1] === 0);
    expect(client.snapshot().instances[1]?.successRatio).toBe(1);
  });

  it('is refused by a server that knows none, without a trace', async () => {
    const server = await serve((_request, response) => response.writeHead(404).end());
    const client = clientOver([server]);
    const socket = new WebSocket('ws://orders/', { agent: agentsOver(client).http });
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toContain('404');
    expect(pending(client)).toEqual([0]);
  });
});

describe('an idle agent', () => {
  it('keeps no process alive', async () => {
    const server = await serve((_request, response) => response.end('ok'));
    const file = fileURLToPath(new URL('http-agents-process.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', file, String(server.port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const [code] = (await once(child, 'close')) as [number | null];
    expect({ code, output }).toEqual({
      code: 0,
      output: 'ok, 1 idle connections, ended by itself\n',
    });
  });

  it('answers as a plain agent does once its client is closed: not at all', async () => {
    const server = await serve((_request, response) => response.end('ok'));
    const client = clientOver([server]);
    const agents = agentsOver(client);
    expect(await fetchText(agents)).toBe('ok');
    await client.close();
    await expect(got('http://orders/', { agent: agents })).rejects.toMatchObject({
      code: 'ERR_FAIRLEAD_CLOSED',
    });
  });
});
