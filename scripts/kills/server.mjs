// One server of the kills, in a process of its own, so that it can be killed for real.
// argv: port, file to log to, name, requests worked on at once, ms each takes, `forget` to sabotage.
// `METHOD /work/ID` with the body `ID` (of those that have one) is answered with `done ID`. What comes while all slots are taken waits.
import { openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';

const [port, logFile, name, slots, workMs, sabotage] = process.argv.slice(2);
const BUSY_MS = 20;
const log = openSync(logFile, 'a');
const queue = [];
let working = 0;
let worked = 0;

// Idle connections are left open: a call that meets a kill may not have to survive a connection closed at the moment it is used, too.
const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (text) => (body += text));
  request.on('end', () => {
    queue.push({ method: request.method, id: request.url.split('/')[2], body, response });
    workOn();
  });
});

function workOn() {
  while (working < Number(slots)) {
    const task = queue.shift();
    if (task === undefined) return;
    working++;
    run(task);
  }
}

function run({ method, id, body, response }) {
  // Written as the work begins, and without a buffer: the kernel has it, whenever we are killed.
  const isForgotten = sabotage === 'forget' && ++worked % 50 === 0;
  if (!isForgotten) writeSync(log, `${method} ${id} ${name}\n`);
  setTimeout(() => {
    working--;
    const isWhole = body === (method === 'GET' ? '' : id);
    response.statusCode = isWhole ? 200 : 400;
    response.end(isWhole ? `done ${id}` : `not the body of ${id}`);
    workOn();
  }, Number(workMs));
}

server.on('error', () => setTimeout(listen, BUSY_MS)); // the port is taken for a moment
server.on('listening', () => process.send('ready'));
process.on('disconnect', () => process.exit()); // who started us is gone
listen();

function listen() {
  // Everybody connects at once to one that is back: none is to be turned away for that.
  server.listen({ port: Number(port), host: '127.0.0.1', backlog: 1_024 });
}
