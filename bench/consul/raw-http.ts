/** Bare requests, so that nothing of the library is in what they are compared with. */
import http from 'node:http';

export interface RawReply {
  readonly status: number;
  readonly index: string;
  readonly body: Buffer;
}

/** One request. `onEnd` runs in the handler of the reply's end, before anything is made of it. */
export function rawRequest(
  url: string,
  options: {
    readonly agent: http.Agent;
    readonly method?: 'GET' | 'PUT';
    readonly body?: unknown;
    readonly onEnd?: () => void;
  },
): Promise<RawReply> {
  const { agent, method = 'GET', body, onEnd } = options;
  return new Promise((resolve, reject) => {
    const sent = http.request(url, { agent, method }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.once('error', reject).once('end', () => {
        onEnd?.();
        resolve({
          status: reply.statusCode ?? 0,
          index: String(reply.headers['x-consul-index'] ?? ''),
          body: Buffer.concat(chunks),
        });
      });
    });
    sent.once('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** As {@link rawRequest}, where only a 200 will do. */
export async function rawPut(agent: http.Agent, url: string, body?: unknown): Promise<Buffer> {
  const reply = await rawRequest(url, { agent, method: 'PUT', body });
  if (reply.status !== 200) throw new Error(`PUT ${url}: ${reply.status} ${reply.body.toString()}`);
  return reply.body;
}
