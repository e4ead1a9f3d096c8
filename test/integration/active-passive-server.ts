/** `active-passive-server.ts NAME PORT`: a server that says who it is, after a little work. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const WORK_MS = 20;
const [, , name = '', port = '0'] = process.argv;

const server = createServer((_request, response) => {
  setTimeout(() => response.end(name), WORK_MS);
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log((server.address() as AddressInfo).port);
});
