// One instance of the demo: a plain HTTP server in a process of its own, so that it can be killed for real.
// argv: port, delay in ms, share of replies that fail, and with Consul: its URL, the service's name, weight, id.
import { createServer } from 'node:http';

const [port, delayMs, failRatio, consulUrl, service, weight, id] = process.argv.slice(2);
const TTL_MS = 1_500;

const server = createServer((_request, response) => {
  setTimeout(() => {
    response.statusCode = Math.random() < Number(failRatio) ? 503 : 200;
    response.end(`${id}\n`);
  }, Number(delayMs));
});
server.keepAliveTimeout = 60_000;
server.listen(Number(port), '127.0.0.1', () => {
  const ready = consulUrl === undefined ? Promise.resolve() : register();
  ready.then(
    () => process.send?.('ready'),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit()); // the demo is gone

async function register() {
  await put('/v1/agent/service/register', {
    ID: id,
    Name: service,
    Address: '127.0.0.1',
    Port: Number(port),
    Weights: { Passing: Number(weight), Warning: 1 },
    Check: { TTL: `${TTL_MS}ms`, DeregisterCriticalServiceAfter: '1m' },
  });
  const beat = () => put(`/v1/agent/check/pass/service:${id}`);
  await beat();
  setInterval(() => beat().catch((error) => console.error(error)), TTL_MS / 3);
}

async function put(path, body) {
  const reply = await fetch(new URL(path, consulUrl), {
    method: 'PUT',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!reply.ok)
    throw new Error(`Consul answered ${reply.status} to ${path}: ${await reply.text()}`);
}
