/**
 * A server with a status, in a process of its own: it prints its port, drains on SIGTERM, and then has nothing left to do.
 * It must end by itself. Prints what came of it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServerStatus } from '../../src/server.js';

const minMs = Number(process.argv[2]);
const status = createServerStatus();
let refused = 0;
const server = createServer(
  // Longer than anything here takes: a connection that goes was told to.
  { keepAliveTimeout: 60_000 },
  status.handler((request, response) => {
    request.resume().once('end', () => {
      setTimeout(() => response.setHeader('x-server', String(process.pid)).end('ok'), 5);
    });
  }),
);
server.on('clientError', () => refused++);
server.listen(0, '127.0.0.1', () => {
  console.log(`port ${(server.address() as AddressInfo).port}`);
});

process.once('SIGTERM', () => {
  void status.drain({ minMs, timeoutMs: 30_000 }).then(({ open }) => {
    console.log(`drained, ${open} open, ${refused} refused`);
    server.close();
  });
});
process.once('exit', () => {
  console.log('ended by itself');
});
