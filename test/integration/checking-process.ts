/**
 * Checks an instance that accepts and never answers, by a name of which the first address is refused; then it has nothing
 * left to do: it must end by itself, with a check parked on its second connection.
 */
import dns, { type LookupOptions } from 'node:dns';
import { createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';

type Lookup = (host: string, options: LookupOptions, done: (...answer: unknown[]) => void) => void;

const port = Number(process.argv[2]);
const lookup: Lookup = (_host, _options, done) => {
  const addresses = [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ];
  process.nextTick(() => done(null, addresses));
};
Object.assign(dns, { lookup });

const client = createClient({
  service: 'orders',
  discovery: memoryAdapter([{ host: 'orders.example', port }]),
  healthCheck: { http: { path: '/health' }, intervalMs: 50, timeoutMs: 20_000 },
});
await client.ready();

// Holds the process until the check has connected.
setTimeout(() => undefined, 300);

process.once('exit', () => {
  console.log('ended by itself');
});
