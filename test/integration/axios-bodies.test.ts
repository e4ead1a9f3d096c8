/** Bodies of a wrapped axios: those made anew for each attempt, and those that stream back. */
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import axios, { type AxiosError, CanceledError } from 'axios';
import FormDataLegacy from 'form-data';
import { describe, expect, it, vi } from 'vitest';
import { type AxiosBody, wrapAxios } from '../../src/clients/axios.js';
import { attemptsOf } from '../../src/index.js';
import { clientOver, readBody, refusedPort, serve, type TestServer } from './servers.js';

interface Echo {
  readonly headers: Record<string, string>;
  readonly body: string;
}

const echo = (): Promise<TestServer> =>
  serve((request, response) => {
    void readBody(request).then((body) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ headers: request.headers, body }));
    });
  });
/** Reads all of a request, and is of no use. */
const failing = (): Promise<TestServer> =>
  serve((request, response) => {
    void readBody(request).then(() => response.writeHead(503).end());
  });

const webStream = (chunk: string): ReadableStream =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(chunk));
      controller.close();
    },
  });

describe.each<[string, (chunk: string) => AxiosBody]>([
  ['http', (chunk) => Readable.from([chunk])],
  ['fetch', webStream],
])('a body made for each attempt, over the %s adapter', (adapter, streamOf) => {
  it('is sent whole to every instance that is asked', async () => {
    const [bad, good] = [await failing(), await echo()];
    const body = vi.fn(() => streamOf('all of it'));
    const transformRequest = vi.fn((data: unknown) => data);
    const http = wrapAxios(
      axios.create({ adapter, baseURL: 'http://orders' }),
      clientOver([bad, good]),
    );
    for (let i = 0; i < 2; i++) {
      const config = {
        transformRequest,
        headers: { 'Content-Type': 'text/plain' },
        fairlead: { body },
      };
      const { data } = await http.put<Echo>('/', undefined, config);
      expect(data.body).toBe('all of it');
      expect(data.headers).toMatchObject({ 'content-type': 'text/plain', host: 'orders' });
    }
    expect(bad.seen).toHaveLength(1);
    expect(body).toHaveBeenCalledTimes(3);
    expect(transformRequest).toHaveBeenCalledTimes(2);
  });

  it('is not repeated for a POST that may have arrived, and is for one that has not', async () => {
    const [bad, refusing] = [await failing(), { port: await refusedPort() }];
    const body = vi.fn(() => streamOf('text'));
    const send = (servers: readonly { readonly port: number }[]): Promise<unknown> =>
      wrapAxios(axios.create({ adapter, baseURL: 'http://orders' }), clientOver(servers))
        .post('/', undefined, { fairlead: { body } })
        .catch((error: unknown) => error);
    expect(await send([bad, bad])).toMatchObject({ response: { status: 503 } });
    expect(body).toHaveBeenCalledTimes(1);
    expect(attemptsOf(await send([refusing, refusing])).length).toBeGreaterThan(1);
    expect(body.mock.calls.length).toBeGreaterThan(2);
  });

  it('must be a new one each time', async () => {
    const bad = await failing();
    const one = streamOf('text');
    const http = wrapAxios(
      axios.create({ adapter, baseURL: 'http://orders' }),
      clientOver([bad, bad]),
    );
    await expect(http.put('/', undefined, { fairlead: { body: () => one } })).rejects.toMatchObject(
      {
        isAxiosError: true,
        code: 'ERR_FAIRLEAD_INVALID_OPTION',
        message: expect.stringContaining('"fairlead.body()" must be a new stream') as string,
      },
    );
    expect(bad.seen).toHaveLength(1);
  });

  it('is never sent twice without such a function', async () => {
    const bad = await failing();
    const http = wrapAxios(
      axios.create({ adapter, baseURL: 'http://orders' }),
      clientOver([bad, bad]),
    );
    await expect(http.put('/', streamOf('text'))).rejects.toMatchObject({
      response: { status: 503 },
    });
    expect(bad.seen).toHaveLength(1);
  });
});

describe('a body that is made for each attempt', () => {
  it.each<[string, () => AxiosBody | Promise<AxiosBody>, RegExp, RegExp]>([
    ['a FormData', () => withField(new FormData()), /name="field"\r\n\r\nvalue/, /multipart/],
    [
      'a form-data',
      () => withField(new FormDataLegacy()),
      /name="field"\r\n\r\nvalue/,
      /multipart/,
    ],
    ['a Blob', () => new Blob(['bytes'], { type: 'text/csv' }), /^bytes$/, /csv/],
    ['a promise of bytes', () => Promise.resolve(Buffer.from('bytes')), /^bytes$/, /urlencoded/],
    ['nothing', () => undefined, /^$/, /urlencoded/],
  ])('may be %s', async (_what, body, expected, type) => {
    const [bad, good] = [await failing(), await echo()];
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver([bad, good]));
    for (let i = 0; i < 2; i++) {
      const { data } = await http.put<Echo>('/', undefined, { fairlead: { body } });
      expect(data.body).toMatch(expected);
      expect(data.headers['content-type']).toMatch(type);
      if (data.body !== '' && !('transfer-encoding' in data.headers)) {
        expect(data.headers['content-length']).toBe(String(data.body.length));
      }
    }
    expect(bad.seen).toHaveLength(1);
  });

  it('ends the call with what its function throws, and blames nobody', async () => {
    const server = await echo();
    const client = clientOver([server, server]);
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
    const slip = new RangeError('no such file');
    for (const thrown of [slip, 'text']) {
      const body = (): never => {
        throw thrown;
      };
      const error: unknown = await http
        .put('/', undefined, { fairlead: { body } })
        .catch((reason: unknown) => reason);
      expect(error).toMatchObject(thrown === slip ? slip : { message: 'text', cause: 'text' });
      expect(attemptsOf(error)).toMatchObject([{ outcome: 'ignored' }]);
    }
    expect(server.seen).toEqual([]);
  });

  it('blames nobody for a stream of its own that breaks, and closes the one it did not need', async () => {
    const server = await echo();
    const client = clientOver([server, server]);
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
    const breaking = (): Readable =>
      new Readable({
        read() {
          this.destroy(new Error('the disk is gone'));
        },
      });
    for (const config of [{ fairlead: { body: breaking } }, { data: breaking() }]) {
      const error: unknown = await http
        .request({ method: 'put', url: '/', ...config })
        .catch((reason: unknown) => reason);
      expect(error).toMatchObject({ message: 'the disk is gone' });
      expect(attemptsOf(error)).toMatchObject([{ outcome: 'ignored' }]);
    }

    const folder = mkdtempSync(path.join(tmpdir(), 'fairlead-body-'));
    const file = path.join(folder, 'body.txt');
    writeFileSync(file, 'in a file');
    const files: Readable[] = [];
    const body = (): Readable => {
      const stream = createReadStream(file);
      files.push(stream);
      return stream;
    };
    const retrying = wrapAxios(
      axios.create({ baseURL: 'http://orders' }),
      clientOver([{ port: await refusedPort() }, server]),
    );
    for (let i = 0; i < 2; i++) {
      expect((await retrying.put<Echo>('/', undefined, { fairlead: { body } })).data.body).toBe(
        'in a file',
      );
    }
    expect(files).toHaveLength(3);
    await vi.waitFor(() => expect(files.map(({ destroyed }) => destroyed)).not.toContain(false));
    rmSync(folder, { recursive: true });
  });

  it('is a function, and in place of `data`', async () => {
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver([{ port: 1 }]));
    const body = (): string => 'a';
    await expect(http.put('/', 'secret', { fairlead: { body } })).rejects.toMatchObject({
      message: 'Option "data" must be left out where "fairlead.body" makes the body.',
    });
    await expect(
      http.put('/', undefined, { fairlead: { body: 'a' as unknown as typeof body } }),
    ).rejects.toThrow('"fairlead.body" must be a function');
  });
});

function withField<T extends { append(name: string, value: string): void }>(form: T): T {
  form.append('field', 'value');
  return form;
}

describe('a response stream over the fetch adapter', () => {
  async function flowing(handler: (end: () => void, cut: () => void) => void) {
    const server = await serve((_request, response) => {
      response.write('first');
      handler(
        () => response.end(' last'),
        () => response.destroy(),
      );
    });
    const client = clientOver([server]);
    const http = wrapAxios(axios.create({ adapter: 'fetch', baseURL: 'http://orders' }), client);
    const instance = () => client.snapshot().instances[0];
    return { http, instance };
  }
  const STREAM = { responseType: 'stream' } as const;

  it('keeps the attempt in flight until it ends', async () => {
    let end = (): void => undefined;
    const { http, instance } = await flowing((ended) => (end = ended));
    const { data } = await http.get<ReadableStream>('/', STREAM);
    expect(data).toBeInstanceOf(ReadableStream);
    expect(instance()?.pending).toBe(1);
    end();
    expect(await text(data)).toBe('first last');
    await vi.waitFor(() => expect(instance()).toMatchObject({ pending: 0, successRatio: 1 }));
  });

  it('blames the instance for one it cuts, and nobody for one the reader leaves', async () => {
    let cut = (): void => undefined;
    const { http, instance } = await flowing((_ended, cutting) => (cut = cutting));
    const left = await http.get<ReadableStream>('/', STREAM);
    await left.data.cancel();
    await vi.waitFor(() => expect(instance()).toMatchObject({ pending: 0, successRatio: 1 }));
    const broken = await http.get<ReadableStream>('/', STREAM);
    cut();
    await expect(text(broken.data)).rejects.toThrow();
    await vi.waitFor(() => {
      expect(instance()?.pending).toBe(0);
      expect(instance()?.successRatio).toBeLessThan(1);
    });
  });

  it.each(['signal', 'cancelToken'])('is ended by the %s of its caller', async (by) => {
    const { http, instance } = await flowing(() => undefined);
    const [controller, source] = [new AbortController(), axios.CancelToken.source()];
    const { data } = await http.get<ReadableStream>('/', {
      ...STREAM,
      ...(by === 'signal' ? { signal: controller.signal } : { cancelToken: source.token }),
    });
    const read = text(data).catch((error: unknown) => error as AxiosError);
    if (by === 'signal') controller.abort();
    else source.cancel('enough');
    expect(await read).toBeInstanceOf(Error);
    await vi.waitFor(() => expect(instance()).toMatchObject({ pending: 0, successRatio: 1 }));
  });

  it('is closed where the request is repeated', async () => {
    let isClosed = false;
    const bad = await serve((_request, response) => {
      response.once('close', () => (isClosed = true));
      response.writeHead(503).write('part');
    });
    const http = wrapAxios(
      axios.create({ adapter: 'fetch', baseURL: 'http://orders' }),
      clientOver([bad, await echo()]),
    );
    for (let i = 0; i < 2; i++) {
      const { data } = await http.get<ReadableStream>('/', STREAM);
      expect(await text(data)).toContain('body');
    }
    expect(bad.seen).toHaveLength(1);
    await vi.waitFor(() => expect(isClosed).toBe(true));
  });
});

it('cancels over the fetch adapter as over the other', async () => {
  const hanging = await serve(() => undefined);
  const client = clientOver([hanging]);
  const http = wrapAxios(axios.create({ adapter: 'fetch', baseURL: 'http://orders' }), client);
  const controller = new AbortController();
  const call = http.get('/', { signal: controller.signal }).catch((error: unknown) => error);
  await vi.waitFor(() => expect(hanging.seen).toHaveLength(1));
  controller.abort();
  expect(await call).toBeInstanceOf(CanceledError);
  expect(client.snapshot().instances[0]).toMatchObject({ pending: 0, successRatio: 1 });
});
