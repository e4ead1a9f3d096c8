/**
 * Backends that cost as little as can be: they read no more of a request than where it ends, and answer each with the
 * same bytes. A real server needs longer than most clients; then it would be the servers that are measured.
 */
import { createServer, type Socket } from 'node:net';
import { ANSWER as BODY, serveAll } from './backend-process.js';

const ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(BODY)}\r\n\r\n${BODY}`,
);
const END = Buffer.from('\r\n\r\n');

/** Requests without a body. One may come in pieces. */
function serve(socket: Socket): void {
  let rest: Buffer | undefined;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    const data = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let at = data.indexOf(END); at >= 0; at = data.indexOf(END, from)) {
      from = at + END.length;
      socket.write(ANSWER);
    }
    rest = from < data.length ? data.subarray(from) : undefined;
  });
}

await serveAll(() => createServer(serve));
