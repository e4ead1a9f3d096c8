/** Backends of gRPC without a library of it: they answer each unary call with the same message. */
import { createServer } from 'node:http2';
import { ANSWER, serveAll } from './backend-process.js';

/** Not compressed, then its length, then the message. */
const MESSAGE = Buffer.concat([Buffer.alloc(5), Buffer.from(ANSWER)]);
MESSAGE.writeUInt32BE(Buffer.byteLength(ANSWER), 1);

await serveAll(() => {
  const server = createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => stream.destroy());
    stream.resume();
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc' },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(MESSAGE);
  });
  return server;
});
