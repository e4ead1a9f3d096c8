import { request } from 'node:http';

export interface RequestOptions {
  readonly method?: 'GET' | 'PUT' | 'DELETE';
  /** Sent as JSON, but for a `Buffer`. */
  readonly body?: unknown;
  readonly token?: string | undefined;
  /** For the whole reply, in ms. Default 5,000. */
  readonly timeoutMs?: number;
}

export interface WholeReply {
  readonly status: number;
  readonly body: Buffer;
}

/** One request to an agent, over a connection that closes at once; gives the reply whatever its status. */
export function askAgent(
  url: string,
  path: string,
  { method = 'GET', body, token, timeoutMs = 5_000 }: RequestOptions = {},
): Promise<WholeReply> {
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { 'x-consul-token': token };
    const sent = request(new URL(path, url), { method, agent: false, headers }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.once('error', fail).once('end', () => {
        clearTimeout(timer);
        resolve({ status: reply.statusCode ?? 0, body: Buffer.concat(chunks) });
      });
    });
    const timer = setTimeout(() => {
      sent.destroy(new Error(`no whole answer within ${timeoutMs} ms`));
    }, timeoutMs);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(new Error(`${method} ${path}: ${error.message}`, { cause: error }));
    };
    sent.once('error', fail);
    sent.end(body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body));
  });
}

/** The JSON of a 200. Anything else is an error that quotes the answer. */
export async function askForJson<T>(
  url: string,
  path: string,
  options?: RequestOptions,
): Promise<T> {
  const { status, body } = await askAgent(url, path, options);
  if (status !== 200) throw new Error(`${path}: ${status} ${body.toString('utf8', 0, 200)}`);
  return (body.length === 0 ? undefined : JSON.parse(body.toString('utf8'))) as T;
}
