/**
 * Sends one request through leased agents, gives up another that waits for a list, and has nothing left to do: it must
 * end by itself.
 */
import { get } from 'node:http';
import { staticList } from '../../adapters/static.js';
import { leaseAgents } from '../../src/clients/http.js';
import { createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';

const [port = ''] = process.argv.slice(2);
const client = createClient({
  service: 'orders',
  discovery: staticList([`http://127.0.0.1:${port}`]),
  attemptTimeoutMs: 60_000,
});
// Idle connections are not closed for being idle, either.
const agents = leaseAgents(client, { httpAgent: { timeout: 600_000 }, connectTimeoutMs: 60_000 });
let text = '';

get('http://orders/', { agent: agents.http }, (response) => {
  response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
});

const waiting = createClient({
  service: 'orders',
  discovery: memoryAdapter(),
  readyTimeoutMs: 600_000,
});
const given = get('http://orders/', { agent: leaseAgents(waiting).http });
given.on('error', () => undefined);
given.destroy();

process.once('exit', () => {
  const idle = Object.values(agents.http.freeSockets).flat().length;
  console.log(`${text}, ${String(idle)} idle connections, ended by itself`);
});
