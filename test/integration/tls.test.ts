import { readFileSync } from 'node:fs';
import { Agent, createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import axios, { type AxiosInstance } from 'axios';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { type Client, createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';

/** A key for tests alone; its certificate names `orders` and nothing else, and is its own authority. */
const pem = (name: string): Buffer => readFileSync(new URL(`tls/${name}.pem`, import.meta.url));

let server: Server;
const clients: Client[] = [];

beforeEach(async () => {
  server = createServer({ key: pem('key'), cert: pem('cert') }, (request, response) => {
    if (request.url === '/redirect') response.writeHead(302, { location: '/end' });
    const { servername } = request.socket as TLSSocket & { servername: string };
    response.end(JSON.stringify({ servername, host: request.headers.host, url: request.url }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function axiosFor(service: string, protocol: string, baseURL: string, ca = true): AxiosInstance {
  const { port } = server.address() as AddressInfo;
  const client = createClient({
    service,
    discovery: memoryAdapter([{ host: '127.0.0.1', port, protocol }]),
  });
  clients.push(client);
  const httpsAgent = ca ? new Agent({ ca: pem('cert') }) : new Agent();
  return wrapAxios(axios.create({ baseURL, httpsAgent }), client);
}

describe('wrapAxios over TLS', () => {
  it("sends the service's name and checks the certificate against it", async () => {
    const http = axiosFor('orders', 'https', 'http://orders');
    expect((await http.get('/x')).data).toEqual({
      servername: 'orders',
      host: 'orders',
      url: '/x',
    });
  });

  it('stays on the instance over a redirect', async () => {
    const http = axiosFor('orders', 'https', 'http://orders');
    expect((await http.get('/redirect')).data).toMatchObject({ servername: 'orders', url: '/end' });
  });

  it('never sends in the clear what the caller addressed with https', async () => {
    const http = axiosFor('orders', 'http', 'https://orders');
    expect((await http.get('/')).data).toMatchObject({ servername: 'orders' });
  });

  it('refuses a certificate of another name, as a direct call would', async () => {
    const http = axiosFor('users', 'https', 'http://users');
    await expect(http.get('/')).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  it('refuses a certificate of an unknown authority', async () => {
    const http = axiosFor('orders', 'https', 'http://orders', false);
    await expect(http.get('/')).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  });
});
