/**
 * Four backends in a process of their own, that cost as little as can be: they read no more of a request than where it ends,
 * and answer each with the same bytes. A real server needs longer than most clients; then it would be the servers that
 * are measured. argv: how many. Tells its ports, and at each message the CPU time that it has taken, in ms.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

const BODY = JSON.stringify({ id: 4711, items: Array.from({ length: 20 }, (_, i) => `item-${i}`) });
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

const servers = Array.from({ length: Number(process.argv[2]) }, () => createServer(serve));
for (const server of servers) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.((user + system) / 1_000);
});
process.on('disconnect', () => process.exit());
process.send?.(servers.map((server) => (server.address() as AddressInfo).port));
