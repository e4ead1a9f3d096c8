/** Clients that leave before the status has seen their requests: those are not open. */
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import Fastify from 'fastify';
import { expect, it, vi } from 'vitest';
import { createServerStatus } from '../../src/server.js';

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

function connectTo(address: unknown): Socket {
  return connect((address as AddressInfo).port, '127.0.0.1');
}

it('express', async () => {
  const status = createServerStatus();
  const app = express();
  const client: { socket?: Socket } = {};
  let reached = 0;
  app.use((request, _response, next) => {
    // It goes on when the client has left.
    request.socket.once('close', () => setImmediate(next));
    client.socket?.destroy();
  });
  app.use(status.express);
  app.use((_request, response) => {
    reached++;
    response.end('x');
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client.socket = connectTo(server.address());
  client.socket.write(REQUEST);
  await vi.waitFor(() => {
    expect(reached).toBe(1);
  });
  server.close();
  expect(status.snapshot().inFlight).toBe(0);
  expect(await status.drain({ minMs: 0, timeoutMs: 500 })).toEqual({ open: 0 });
});

it('fastify, pipelined', async () => {
  const status = createServerStatus();
  const app = Fastify();
  const client: { socket?: Socket } = {};
  let reached = 0;
  app.addHook('onRequest', async (request) => {
    if (request.headers['x-in'] !== undefined) return;
    setImmediate(() => client.socket?.destroy());
    if (!request.raw.socket.destroyed) await once(request.raw.socket, 'close');
    await sleep(10);
    reached++;
  });
  await app.register(status.fastify);
  app.get('/', () => 'x');
  await app.listen({ port: 0, host: '127.0.0.1' });
  client.socket = connectTo(app.server.address());
  client.socket.write(REQUEST.repeat(3));
  await vi.waitFor(() => {
    expect(reached).toBe(3);
  });
  await sleep(10);
  expect(status.snapshot().inFlight).toBe(0);
  expect((await app.inject({ url: '/', headers: { 'x-in': '1' } })).statusCode).toBe(200);
  await app.close();
  expect(status.snapshot().inFlight).toBe(0);
});
