import type { IncomingMessage, ServerResponse } from 'node:http';
import axios from 'axios';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { wrapAxios, type WrapAxiosOptions } from '../../src/clients/axios.js';
import { wrapFetch } from '../../src/clients/fetch.js';
import {
  type Client,
  type ClientDefaults,
  createClient,
  isFairleadError,
  storyOf,
  withDeadline,
} from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import { clientOver, closeAfterwards, readBody, serve, type TestServer } from './servers.js';

const NAME = 'x-request-timeout-ms';

type Told = string | string[] | undefined;

/** A server, and what each request told of its deadline. */
async function listening(
  handler: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) =>
    response.end('ok'),
  name = NAME,
): Promise<{ readonly server: TestServer; readonly told: Told[] }> {
  const told: Told[] = [];
  const server = await serve((request, response) => {
    told.push(request.headers[name.toLowerCase()]);
    void readBody(request).then(() => {
      handler(request, response);
    });
  });
  return { server, told };
}

type Send = (
  path: string,
  request?: { readonly method?: string; readonly headers?: Record<string, string> },
) => Promise<unknown>;

type Wrap = (client: Client, options?: Pick<WrapAxiosOptions, 'deadlineHeader'>) => Send;

const viaAxios: Wrap = (client, options) => {
  const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client, options);
  return (url, request) => http.request({ url, ...request });
};

const viaFetch: Wrap = (client, options) => {
  const fetch = wrapFetch(client, options);
  return async (path, request) =>
    (await fetch(new URL(path, 'http://orders').href, request)).text();
};

describe.each([
  ['axios', viaAxios],
  ['fetch', viaFetch],
])('the deadline header of a wrapped %s', (_name, wrap) => {
  it('is sent when asked for only', async () => {
    const { server, told } = await listening();
    const client = clientOver([server], { timeoutMs: 1_000 });
    await wrap(client)('/');
    await wrap(client, { deadlineHeader: false })('/');
    await wrap(client, { deadlineHeader: true })('/');
    expect(told).toEqual([undefined, undefined, expect.stringMatching(/^(1000|9\d\d)$/)]);
  });

  it('has the name given, and goes with the headers of the request', async () => {
    const name = 'X-Envoy-Expected-Rq-Timeout-Ms';
    const seen: unknown[] = [];
    const { server, told } = await listening((request, response) => {
      seen.push(request.headers['x-own'], request.headers['content-type']);
      response.end();
    }, name);
    const send = wrap(clientOver([server], { timeoutMs: 500 }), { deadlineHeader: name });
    await send('/', { method: 'POST', headers: { 'X-Own': 'yes', 'Content-Type': 'text/own' } });
    expect(told).toEqual([expect.stringMatching(/^(500|4\d\d)$/)]);
    expect(seen[0]).toBe('yes');
  });

  it('tells each attempt what it has itself, not what the call has', async () => {
    const hanging = await listening(() => undefined);
    const other = await listening(() => undefined);
    const client = clientOver([hanging.server, other.server], { timeoutMs: 400 });
    await expect(wrap(client, { deadlineHeader: true })('/')).rejects.toThrow();
    const told = [...hanging.told, ...other.told].map(Number).sort((a, b) => a - b);
    expect(told).toHaveLength(2);
    const [first = 0, second = 0] = told;
    // A third of the time, then all that is left, for there is no third instance. Lost for the second is a pause of up to
    // 25 ms, and what the machine takes.
    expect(first).toBeGreaterThan(33);
    expect(first).toBeLessThanOrEqual(133);
    expect(second).toBeGreaterThan(133);
    expect(second).toBeLessThanOrEqual(267);
  });

  it('is what attemptTimeoutMs allows, at least 1', async () => {
    const { server, told } = await listening(() => undefined);
    const options = { attemptTimeoutMs: 0.5, retry: { maxAttempts: 1 } };
    const client = clientOver([server], options);
    const send = wrap(client, { deadlineHeader: true });
    await vi.waitFor(async () => {
      await expect(send('/')).rejects.toThrow();
      expect(told[0]).toBe('1'); // half a millisecond may be too short to be sent
    });
  });

  it("lets the request's own header stay", async () => {
    const { server, told } = await listening();
    const send = wrap(clientOver([server]), { deadlineHeader: true });
    await send('/', { headers: { 'X-REQUEST-timeout-ms': '5' } });
    expect(told).toEqual(['5']);
  });

  it('is told to no host that is none of the service', async () => {
    const service = await listening();
    const other = await listening();
    const send = wrap(clientOver([service.server]), { deadlineHeader: true });
    await send(`http://127.0.0.1:${other.server.port}/x`);
    expect(other.told).toEqual([undefined]);
  });

  it.each([
    ['GET', 302],
    ['GET', 307],
    ['PUT', 307],
    ['POST', 303],
    ['POST', 307],
  ])('stays behind when a %s is redirected elsewhere with a %d', async (method, status) => {
    const other = await listening();
    const location = `http://127.0.0.1:${other.server.port}/x`;
    const service = await listening((_request, response) =>
      response.writeHead(status, { location }).end(),
    );
    const send = wrap(clientOver([service.server]), { deadlineHeader: true });
    await send('/', { method });
    expect(service.told).toEqual([expect.stringMatching(/^\d+$/)]);
    expect(other.told).toEqual([undefined]);
  });

  it.each([
    ['GET', '/end'],
    ['GET', 'http://orders/end'],
    ['POST', '/end'],
    ['POST', 'http://orders/end'],
  ])('is told again when a %s is redirected to %s', async (method, location) => {
    const { server, told } = await listening((request, response) => {
      if (request.url === '/') response.writeHead(303, { location });
      response.end();
    });
    await wrap(clientOver([server]), { deadlineHeader: true })('/', { method });
    expect(server.seen).toEqual([`${method} /`, 'GET /end']);
    expect(told).toEqual([expect.stringMatching(/^\d+$/), expect.stringMatching(/^\d+$/)]);
  });

  it.each([[''], ['two words'], [5]])('cannot be named %j', (name) => {
    const deadlineHeader = name as string;
    expect(() => wrap(clientOver([]), { deadlineHeader })).toThrow(
      /deadlineHeader" must be true, false or an HTTP name/,
    );
  });
});

describe('the deadline header of a wrapped axios', () => {
  it('is not sent where the request says null', async () => {
    const { server, told } = await listening();
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver([server]), {
      deadlineHeader: true,
    });
    await http.get('/', { headers: { [NAME]: null } });
    expect(told).toEqual([undefined]);
  });
});

/** When something ended, in ms since `startedMs`, and how. */
interface End {
  readonly who: string;
  readonly atMs: number;
  readonly code: string;
}

/**
 * The caller asks A, which asks B, which asks C, which hangs. A and B answer 504 with why and whose answer that was; what
 * the caller gives up on by itself is its own end.
 */
async function chain(ofServices: ClientDefaults, { marginMs = 0 } = {}) {
  const startedMs = performance.now();
  const told: Record<string, number> = {};
  const ends: End[] = [];
  const note = (who: string, code: string): number =>
    ends.push({ who, atMs: performance.now() - startedMs, code });

  const clientOf = (service: string, server: TestServer, options: ClientDefaults): Client => {
    const client = createClient({
      service,
      discovery: memoryAdapter([server.spec]),
      retry: false,
      ...options,
    });
    closeAfterwards(client);
    return client;
  };
  /** Asks the next service within the deadline of the request, and answers with what became of it. */
  const passingOn = (who: string, service: string, server: TestServer): Promise<TestServer> => {
    const client = clientOf(service, server, ofServices);
    const fetch = wrapFetch(client, { deadlineHeader: true });
    return serve((request, response) => {
      told[who] = Number(request.headers[NAME]);
      void withDeadline(
        request.headers[NAME],
        async () => {
          const answer = await fetch(`http://${service}/`)
            .then((reply) => reply.text())
            .catch((error: unknown) => codeOf(error));
          note(who, answer);
          response.writeHead(504).end(`${who}: ${answer}`);
        },
        { marginMs },
      );
    });
  };

  const c = await serve((request) => {
    told['C'] = Number(request.headers[NAME]);
    request.socket.once('close', () => note('C', 'cut')); // and never an answer
  });
  const b = await passingOn('B', 'c', c);
  const a = await passingOn('A', 'b', b);
  const ask = wrapFetch(clientOf('a', a, { timeoutMs: 300 }), { deadlineHeader: true });
  const answer = await ask('http://a/')
    .then((reply) => reply.text())
    .catch((error: unknown) => codeOf(error));
  note('caller', answer);
  return { told, ends, answer, of: (name: string) => ends.find(({ who }) => who === name) };
}

function codeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return isFairleadError(cause) ? cause.code : String(error);
}

describe('a chain of services', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('shares one deadline: who is further on has less, and all end by it', async () => {
    const { told, answer, of } = await chain({ inheritDeadline: true, timeoutMs: 5_000 });
    expect(told['A']).toBeGreaterThan(250);
    expect(told['A']).toBeLessThanOrEqual(300);
    expect(told['B']).toBeLessThan(told['A'] ?? 0); // some time has passed, and it is rounded down
    expect(told['C']).toBeLessThan(told['B'] ?? 0);
    expect(told['C']).toBeGreaterThan(0);
    expect(answer).toBe('ERR_FAIRLEAD_DEADLINE_EXCEEDED');
    await vi.waitFor(() => {
      for (const who of ['caller', 'A', 'B', 'C']) {
        // Timers may be late on a busy machine; the services' own limit is 5,000 ms.
        expect(of(who)?.atMs).toBeGreaterThan(250);
        expect(of(who)?.atMs).toBeLessThan(1_000);
      }
    });
  });

  it('tells the caller whose answer was late, where each keeps back a margin', async () => {
    const { told, answer, of, ends } = await chain(
      { inheritDeadline: true, timeoutMs: 5_000 },
      { marginMs: 60 },
    );
    expect(told['B']).toBeLessThanOrEqual(240);
    expect(told['C']).toBeLessThanOrEqual(180);
    expect(answer).toBe('A: B: ERR_FAIRLEAD_DEADLINE_EXCEEDED');
    expect(of('B')?.atMs).toBeLessThan(of('A')?.atMs ?? 0);
    expect(of('A')?.atMs).toBeLessThan(of('caller')?.atMs ?? 0);
    expect(ends.map(({ who }) => who).filter((who) => who !== 'C')).toEqual(['B', 'A', 'caller']);
  });

  it('without inheritDeadline goes on working for nobody', async () => {
    const { told, answer, of } = await chain({ timeoutMs: 900 });
    expect(answer).toBe('ERR_FAIRLEAD_DEADLINE_EXCEEDED');
    expect(told['A']).toBeLessThanOrEqual(300);
    expect(told['B']).toBeGreaterThan(850);
    expect(told['C']).toBeGreaterThan(850);
    expect(of('caller')?.atMs).toBeLessThan(800);
    expect(of('B')).toBeUndefined();
    await vi.waitFor(() => expect(of('B')?.atMs).toBeGreaterThan(890), { timeout: 5_000 });
  });

  it('is told of in the story of the call', async () => {
    const { server } = await listening(() => undefined);
    const client = clientOver([server], { inheritDeadline: true, timeoutMs: 5_000 });
    const error: unknown = await withDeadline('100', () =>
      wrapFetch(client)('http://orders/').catch((reason: unknown) => reason),
    );
    expect(error).toBeInstanceOf(TypeError);
    expect((error as TypeError).cause).toMatchObject({
      code: 'ERR_FAIRLEAD_DEADLINE_EXCEEDED',
      // Real time passes before the call begins, on a busy machine a little more.
      message: expect.stringMatching(
        /within the \d{1,3} ms that the call around it left/,
      ) as string,
    });
    expect(storyOf(error).attempts.at(-1)).toMatchObject({ ended: 'deadline' });
  });
});
