/**
 * The same request through the bare global fetch, for which a name is looked up, and through the wrapped one, for which it
 * is a service's. Not to an address: what fetch says of itself differs between loopback and other hosts.
 */
import { gzipSync } from 'node:zlib';
import type { RequestListener } from 'node:http';
import { Agent, getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wrapFetch } from '../../src/clients/fetch.js';
import { clientOver, readBody, serve } from './servers.js';

interface Outcome {
  readonly said?: object;
  readonly failed?: object;
  /** What the server has got, of all requests. */
  readonly received: readonly object[];
}

/** @param base of URLs: that of the server, or that of the service. */
type Ask = (fetch: typeof globalThis.fetch, base: string) => Promise<unknown>;

const STOP = new Error('enough');

function bytes(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      controller.close();
    },
  });
}

function form(): FormData {
  const data = new FormData();
  data.set('a', '1');
  data.set('file', new File(['x'], 'x.txt', { type: 'text/plain' }));
  return data;
}

const CASES: Readonly<Record<string, Ask>> = {
  'a GET': (fetch, base) => fetch(`${base}/x?y=z`),
  'a URL': (fetch, base) => fetch(new URL(`${base}/x?y=z#fragment`)),
  'a trailing question mark': (fetch, base) => fetch(`${base}/x?`),
  'what has a URL for its text': (fetch, base) =>
    fetch({ toString: () => `${base}/x` } as unknown as string),
  'a HEAD': (fetch, base) => fetch(`${base}/x`, { method: 'HEAD' }),
  'a method in small letters': (fetch, base) => fetch(`${base}/x`, { method: 'delete' }),
  'a PATCH': (fetch, base) => fetch(`${base}/x`, { method: 'PATCH', body: 'b' }),
  'a method of its own': (fetch, base) => fetch(`${base}/x`, { method: 'PURGE' }),
  'a method that is forbidden': (fetch, base) => fetch(`${base}/x`, { method: 'CONNECT' }),
  'a GET with a body': (fetch, base) => fetch(`${base}/x`, { body: 'b' }),
  'an OPTIONS': (fetch, base) => fetch(`${base}/x`, { method: 'OPTIONS' }),
  headers: (fetch, base) => fetch(`${base}/x`, { headers: { 'X-One': '1', accept: 'text/x' } }),
  'headers twice': (fetch, base) =>
    fetch(`${base}/x`, {
      headers: [
        ['x-one', '1'],
        ['x-one', '2'],
      ],
    }),
  'a header that is none': (fetch, base) => fetch(`${base}/x`, { headers: { 'a b': '1' } }),
  'a string': (fetch, base) => fetch(`${base}/x`, { method: 'POST', body: 'text ü' }),
  'an empty string': (fetch, base) => fetch(`${base}/x`, { method: 'POST', body: '' }),
  'a POST of nothing': (fetch, base) => fetch(`${base}/x`, { method: 'POST' }),
  parameters: (fetch, base) =>
    fetch(`${base}/x`, { method: 'POST', body: new URLSearchParams({ a: 'b' }) }),
  'a form': (fetch, base) => fetch(`${base}/x`, { method: 'POST', body: form() }),
  'a Blob': (fetch, base) =>
    fetch(`${base}/x`, { method: 'PUT', body: new Blob(['b'], { type: 'text/x' }) }),
  'a Buffer': (fetch, base) => fetch(`${base}/x`, { method: 'PUT', body: Buffer.from('b') }),
  'an ArrayBuffer': (fetch, base) =>
    fetch(`${base}/x`, { method: 'PUT', body: new ArrayBuffer(3) }),
  'a stream': (fetch, base) =>
    fetch(`${base}/x`, { method: 'POST', body: bytes('s'), duplex: 'half' }),
  'a stream without duplex': (fetch, base) =>
    fetch(`${base}/x`, { method: 'POST', body: bytes('s') }),
  'a stream that fails': (fetch, base) =>
    fetch(`${base}/x`, {
      method: 'POST',
      duplex: 'half',
      body: new ReadableStream({
        pull() {
          throw STOP;
        },
      }),
    }),
  'a Request': (fetch, base) => fetch(new Request(`${base}/x`, { headers: { 'x-one': '1' } })),
  'a Request with a body': (fetch, base) =>
    fetch(new Request(`${base}/x`, { method: 'POST', body: 'b' })),
  'a Request and an init': (fetch, base) =>
    fetch(new Request(`${base}/x`, { method: 'POST', body: 'b', headers: { 'x-one': '1' } }), {
      method: 'PUT',
      headers: { 'x-two': '2' },
    }),
  'a Request for an init': (fetch, base) =>
    fetch(`${base}/x`, new Request('http://other/', { method: 'PUT', body: 'b', keepalive: true })),
  'a clone, then the Request': async (fetch, base) => {
    const request = new Request(`${base}/x`, { method: 'POST', body: 'b' });
    await (await fetch(request.clone())).text();
    return fetch(request);
  },
  'a Request twice': async (fetch, base) => {
    const request = new Request(`${base}/x`, { method: 'POST', body: 'b' });
    await (await fetch(request)).text();
    return fetch(request);
  },
  'options of browsers': (fetch, base) =>
    fetch(`${base}/x`, {
      mode: 'cors',
      credentials: 'include',
      keepalive: true,
      referrerPolicy: 'no-referrer',
      ...{ cache: 'no-cache', priority: 'high' }, // not in the types of Node
    }),
  'a mode that is none': (fetch, base) => fetch(`${base}/x`, { mode: 'odd' as 'cors' }),
  integrity: (fetch, base) =>
    fetch(`${base}/plain`, {
      integrity: 'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=',
    }),
  'integrity that is broken': (fetch, base) =>
    fetch(`${base}/plain`, { integrity: 'sha256-AAAAv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=' }),
  'an init that is none': (fetch, base) => fetch(`${base}/x`, 5 as unknown as RequestInit),
  'null for an init': (fetch, base) => fetch(`${base}/x`, null as unknown as undefined),
  'a 204': (fetch, base) => fetch(`${base}/204`),
  'a 304': (fetch, base) => fetch(`${base}/304`, { headers: { 'if-none-match': '"x"' } }),
  'a 404': (fetch, base) => fetch(`${base}/404`),
  'a 407': (fetch, base) => fetch(`${base}/407`),
  'a 103 first': (fetch, base) => fetch(`${base}/early`),
  'a reason of its own, cookies': (fetch, base) => fetch(`${base}/said`),
  gzip: (fetch, base) => fetch(`${base}/gzip`),
  'gzip that is none': (fetch, base) => fetch(`${base}/broken-gzip`),
  'a body in pieces': (fetch, base) => fetch(`${base}/pieces`),
  'a body that is cut': (fetch, base) => fetch(`${base}/cut`),
  'a clone of the response': async (fetch, base) => (await fetch(`${base}/x`)).clone(),
  'a redirect': (fetch, base) => fetch(`${base}/302`),
  'a redirect of a POST': (fetch, base) => fetch(`${base}/302`, { method: 'POST', body: 'b' }),
  'a 303 to a PUT': (fetch, base) => fetch(`${base}/303`, { method: 'PUT', body: 'b' }),
  'a 303 to a HEAD': (fetch, base) => fetch(`${base}/303`, { method: 'HEAD' }),
  'a 307 to a POST': (fetch, base) => fetch(`${base}/307`, { method: 'POST', body: 'b' }),
  'a 307 to a stream': (fetch, base) =>
    fetch(`${base}/307`, { method: 'POST', body: bytes('s'), duplex: 'half' }),
  'a redirect, manual': (fetch, base) => fetch(`${base}/302`, { redirect: 'manual' }),
  'a redirect, error': (fetch, base) => fetch(`${base}/302`, { redirect: 'error' }),
  'a redirect to nowhere': (fetch, base) => fetch(`${base}/nowhere`),
  'a redirect to another scheme': (fetch, base) => fetch(`${base}/scheme`),
  'a redirect for ever': (fetch, base) => fetch(`${base}/ever`),
  'a signal that has aborted': (fetch, base) =>
    fetch(`${base}/x`, { signal: AbortSignal.abort(STOP) }),
  'a signal that aborts before the headers': (fetch, base) => {
    const stop = new AbortController();
    const reply = fetch(`${base}/hang`, { signal: stop.signal });
    stop.abort();
    return reply;
  },
  'a signal that aborts the body': async (fetch, base) => {
    const stop = new AbortController();
    const reply = await fetch(`${base}/half`, { signal: stop.signal });
    stop.abort(STOP);
    return reply;
  },
  'a time limit': (fetch, base) => fetch(`${base}/hang`, { signal: AbortSignal.timeout(20) }),
  'what is no signal': (fetch, base) =>
    fetch(`${base}/x`, { signal: {} as unknown as AbortSignal }),
  'a URL with a name and a password': (fetch, base) =>
    fetch(`${base}/x`.replace('//', '//user:secret@')),
  'a relative URL': (fetch) => fetch('/relative'),
  'what is no URL': (fetch) => fetch('http://'),
  'another scheme': (fetch, base) => fetch(base.replace('http', 'ftp')),
  'a data URL': (fetch) => fetch('data:text/plain,hello'),
  'a blob URL': (fetch) => fetch(URL.createObjectURL(new Blob(['hello']))),
};

const answer: RequestListener = (request, response) => {
  const path = (request.url ?? '').slice(1);
  const redirect = { scheme: 'ftp://orders/', nowhere: 'http://', ever: '/ever' }[path];
  switch (path) {
    case '302':
    case '303':
    case '307':
      response.writeHead(Number(path), { location: '/end?y' }).end('elsewhere');
      return;
    case '204':
    case '304':
    case '404':
    case '407':
      response.writeHead(Number(path)).end();
      return;
    case 'early':
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      response.end('late');
      return;
    case 'said':
      response.writeHead(200, 'As You Like', { 'set-cookie': ['a=1', 'b=2'], 'x-two': ['1', '2'] });
      response.end();
      return;
    case 'plain':
      response.end('abc');
      return;
    case 'gzip':
    case 'broken-gzip':
      response.setHeader('content-encoding', 'gzip');
      response.end(path === 'gzip' ? gzipSync('unpacked') : 'never packed');
      return;
    case 'pieces':
      response.write('one ');
      setImmediate(() => response.end('two'));
      return;
    case 'cut':
      response.writeHead(200, { 'content-length': '100' });
      response.write('part', () => request.socket.destroy());
      return;
    case 'half':
      response.write('half');
      return;
    case 'hang':
      return;
    default:
      if (redirect !== undefined) response.writeHead(302, { location: redirect });
      response.end(`said to ${request.method ?? ''}`);
  }
};

/** As much of an error as tells one from another. */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { thrown: error };
  const { name, message, cause } = error;
  const { code } = error as { readonly code?: unknown };
  return {
    class: error.constructor.name,
    name,
    message,
    code,
    ...(cause instanceof Error ? { cause: describeError(cause) } : {}),
  };
}

async function describeReply(reply: unknown): Promise<object> {
  if (!(reply instanceof Response)) return { reply };
  const { status, statusText, url, redirected, type, ok, bodyUsed } = reply;
  const headers = [...reply.headers].filter(([name]) => name !== 'date');
  const head = { status, statusText, url, redirected, type, ok, bodyUsed, headers };
  try {
    return { ...head, text: await reply.text(), bodyUsedNow: reply.bodyUsed };
  } catch (error) {
    return { ...head, failed: describeError(error) };
  }
}

/** With one server of its own, whose address is put as the service's name. */
async function outcomeOf(ask: Ask, wrap: boolean): Promise<Outcome> {
  const received: object[] = [];
  const server = await serve((request, response) => {
    const { method, url } = request;
    const headers: Record<string, unknown> = { ...request.headers };
    delete headers['host'];
    const got = { method, url, headers, body: '' };
    received.push(got);
    readBody(request).then(
      (body) => {
        got.body = body.replaceAll(/formdata-undici-\d+/g, 'boundary');
        answer(request, response);
      },
      () => undefined, // cut
    );
  });
  const host = `orders:${String(server.port)}`;
  const base = wrap ? 'http://orders' : `http://${host}`;
  const fetch = wrap ? wrapFetch(clientOver([server])) : globalThis.fetch;
  const outcome: Outcome = await ask(fetch, base).then(
    async (reply) => ({ said: await describeReply(reply), received }),
    (error: unknown) => ({ failed: describeError(error), received }),
  );
  await server.close();
  const text = JSON.stringify(outcome)
    .replaceAll(host, 'orders')
    .replaceAll(/formdata-undici-\d+/g, 'boundary')
    .replaceAll(/blob:nodedata:[\w-]+/g, 'blob:nodedata:id');
  return JSON.parse(text) as Outcome;
}

describe('a wrapped fetch does as the bare one:', () => {
  const before = getGlobalDispatcher();
  const looking = new Agent({
    connect: {
      lookup: (_name, _options, done) => {
        done(null, [{ address: '127.0.0.1', family: 4 }]);
      },
    },
  });
  beforeAll(() => {
    setGlobalDispatcher(looking);
  });
  afterAll(async () => {
    setGlobalDispatcher(before);
    await looking.destroy();
  });

  it.each(Object.entries(CASES))('%s', async (_what, ask) => {
    const bare = await outcomeOf(ask, false);
    const wrapped = await outcomeOf(ask, true);
    expect(wrapped).toEqual(bare);
  });
});

it('sends the referrer of a Request, which Node 24 itself loses', async () => {
  const server = await serve((request, response) => response.end(request.headers.referer));
  const request = new Request('http://orders/x', { referrer: 'http://orders/from' });
  const reply = await wrapFetch(clientOver([server]))(request);
  expect(await reply.text()).toBe('http://orders/from');
});
