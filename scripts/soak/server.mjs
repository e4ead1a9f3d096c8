// One server of the soak, in a process of its own, so that it can be killed and frozen for real.
// argv: port, file to log to. `/work/ID/COUNT` is answered with ID and a space, COUNT times over.
import { openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';

const [port, logFile] = process.argv.slice(2);
const BUSY_MS = 50;
const log = openSync(logFile, 'a');

const server = createServer((request, response) => {
  const [, route, id, count] = request.url.split('/');
  if (route !== 'work') {
    response.end('healthy'); // the health checks'
    return;
  }
  // Written before anything else, and without a buffer: what was asked here is known even if we are killed next.
  writeSync(log, `${request.method} ${id}\n`);
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (text) => (body += text));
  request.on('end', () => {
    if (request.method === 'POST' && body !== id) reply(response, 400, 'not my body');
    else setTimeout(() => answer(response, `${id} `.repeat(Number(count))), workMs());
  });
});

/** Mostly quick, and one in a hundred takes long. */
function workMs() {
  return Math.random() < 0.01 ? 60 + 140 * Math.random() : 1 + 5 * Math.random();
}

/** Two in a thousand go wrong. */
function answer(response, text) {
  if (Math.random() < 0.002) reply(response, 503, 'out of sorts');
  else reply(response, 200, text);
}

/** Half of the replies are chunked, the others have a length: they are truncated in different ways. */
function reply(response, status, text) {
  response.statusCode = status;
  if (Math.random() < 0.5) response.write(text.slice(0, text.length / 2));
  response.end(response.headersSent ? text.slice(text.length / 2) : text);
}

server.on('error', () => setTimeout(listen, BUSY_MS)); // the port is taken for a moment
server.on('listening', () => process.send('ready'));
process.on('disconnect', () => process.exit()); // the soak is gone
listen();

function listen() {
  server.listen(Number(port), '127.0.0.1');
}
