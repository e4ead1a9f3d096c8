/** Loses an instance it has connections to, and closes its client: it must then hold nothing, and end by itself. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import axios from 'axios';
import { wrapAxios } from '../../src/clients/axios.js';
import { createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';

const server = createServer({ keepAliveTimeout: 60_000 }, (_request, response) => response.end());
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

const discovery = memoryAdapter([{ host: '127.0.0.1', port }]);
const client = createClient({ service: 'orders', discovery, shrinkGraceMs: 0 });
const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
await Promise.all([http.get('/'), http.get('/')]);
discovery.set([]);
if (process.argv[2] === 'close') await client.close();

// Waits for connections to end on their own: nothing here cuts them.
server.close(() => {
  console.log('no connection left');
});
process.once('exit', () => {
  console.log('ended by itself');
});
