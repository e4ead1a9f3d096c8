// One backend of bench/faults, in a process of its own, so that it can be killed and stopped for real.
// argv: port, `http` or `grpc`, ms that the work on a request takes.
// It is told how to behave by `{ behaviour: 'sound' | 'slow' | 'failing' }`, and tells how many requests it got:
// `{ arrivals: [[bucket, count], ...] }`, a bucket being the 100 ms of the wall clock in which the call was due, as its
// header `x-due` says. So requests that have piled up at a stopped one count when they were sent.
import { createServer } from 'node:http';

const [port, protocol, workMs] = process.argv.slice(2);
const BUSY_MS = 20;
const SLOW_MS = 50;
const BUCKET_MS = 100;
const TELL_EVERY_MS = 50;

let behaviour = 'sound';
let arrivals = new Map();

/** Calls `done` with whether it went well, when the work is done. */
function work(due, done) {
  const bucket = Math.floor(Number(due) / BUCKET_MS);
  arrivals.set(bucket, (arrivals.get(bucket) ?? 0) + 1);
  if (behaviour === 'failing') done(false);
  else setTimeout(done, behaviour === 'slow' ? SLOW_MS : Number(workMs), true);
}

setInterval(() => {
  if (arrivals.size === 0) return;
  process.send({ arrivals: [...arrivals] });
  arrivals = new Map();
}, TELL_EVERY_MS);

process.on('message', (message) => {
  behaviour = message.behaviour;
});
process.on('disconnect', () => process.exit()); // who started us is gone

if (protocol === 'grpc') await listenGrpc();
else listenHttp();

function listenHttp() {
  // Kept connections are closed by nobody: what is measured are the faults, not the race that this can be.
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    request.resume();
    if (request.headers['x-due'] === undefined) {
      // Of haproxy, which learns nothing from a 500 that it tries again elsewhere.
      response.statusCode = behaviour === 'failing' ? 500 : 200;
      response.end('a health check');
      return;
    }
    work(request.headers['x-due'], (isDone) => {
      response.statusCode = isDone ? 200 : 500;
      response.end(isDone ? 'done' : 'failed');
    });
  });
  const listen = () => server.listen({ port: Number(port), host: '127.0.0.1', backlog: 1_024 });
  server.on('error', () => setTimeout(listen, BUSY_MS)); // the port is taken for a moment
  server.on('listening', () => process.send('ready'));
  listen();
}

async function listenGrpc() {
  const { Server, ServerCredentials, status } = await import('@grpc/grpc-js');
  const server = new Server();
  server.register(
    '/bench.Backend/Work',
    (call, reply) => {
      work(call.metadata.get('x-due')[0], (isDone) => {
        if (isDone) reply(null, 'done');
        else reply({ code: status.UNAVAILABLE, details: 'failed' });
      });
    },
    Buffer.from,
    String,
    'unary',
  );
  const bind = () =>
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) process.send('ready');
      else setTimeout(bind, BUSY_MS);
    });
  bind();
}
