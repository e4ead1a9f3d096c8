/** Makes calls whose first attempts are never answered, and that hedges win; then it must end by itself. */
import { Agent } from 'node:http';
import axios from 'axios';
import { wrapAxios } from '../../src/clients/axios.js';
import { wrapFetch } from '../../src/clients/fetch.js';
import { createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';

const [silent, good] = process.argv.slice(2).map((port) => ({
  host: '127.0.0.1',
  port: Number(port),
}));
if (silent === undefined || good === undefined) throw new Error('two ports are needed');

const client = createClient({
  service: 'orders',
  discovery: memoryAdapter([silent, good]),
  policy: 'round-robin',
  timeoutMs: 60_000, // far longer than the test waits
  hedge: { delayMs: 5, maxRatio: 1 },
});
const httpAgent = new Agent({ keepAlive: true });
const http = wrapAxios(axios.create({ baseURL: 'http://orders', httpAgent }), client);
const fetch = wrapFetch(client);

for (let i = 0; i < 4; i++) {
  await http.get('/by-axios');
  await (await fetch('http://orders/by-fetch')).text();
}

process.once('exit', () => {
  console.log('ended by itself');
});
