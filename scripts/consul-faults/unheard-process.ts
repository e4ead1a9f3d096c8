/** Follows a service at an agent that is not there, and nobody listens for errors: `unheard-process.ts <who> <url>`. */
import Consul from 'consul';
import { consul } from '../../adapters/consul.js';
import { createClient } from '../../src/index.js';

const LIVES_MS = 2_000;
const [who, url = ''] = process.argv.slice(2);
const { hostname, port } = new URL(url);

if (who === 'fairlead') {
  createClient({ service: 'web', discovery: consul({ url }) });
} else {
  const client = new Consul({ host: hostname, port: Number(port) });
  client.watch({ method: client.health.service.bind(client.health), options: { service: 'web' } });
}
setTimeout(() => {
  process.exit();
}, LIVES_MS);
