/** axios: the URL's host is the service name; everything else about your instance stays as it is. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import axios from 'axios';
import { createClientPool } from 'fairlead';
import { wrapAxios } from 'fairlead/axios';
import { staticList } from 'fairlead/static';

const [good, failing] = [await start('good'), await start('failing', 503)];

const pool = createClientPool({
  services: { orders: { discovery: staticList([`${good.url}?weight=3`, failing.url]) } },
});
const http = wrapAxios(axios.create({ baseURL: 'http://orders/v1', timeout: 2_000 }), pool);

for (let i = 1; i <= 5; i++) {
  const { data } = await http.get<string>(`/orders/${String(i)}`);
  console.log(data); // always from "good": a 503 is retried there
}

await pool.close();
good.server.close();
failing.server.close();

/** A server on a free port, so that the example runs anywhere. */
async function start(reply: string, status = 200): Promise<{ server: Server; url: string }> {
  const server = createServer((_request, response) => {
    response.writeHead(status).end(reply);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}` };
}
