import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import { type FairleadRequestOptions, wrapFetch } from '../../src/clients/fetch.js';
import { type AttemptRecord, attemptsOf, isFairleadError, storyOf } from '../../src/index.js';
import { collectUncaught } from '../support/promises.js';
import { clientOver, readBody, refusedPort, serve, type TestServer } from './servers.js';

const echo = (): Promise<TestServer> =>
  serve((request, response) => {
    void readBody(request).then((body) => {
      response.end(JSON.stringify({ method: request.method, url: request.url, body }));
    });
  });
const failing = (status: number): Promise<TestServer> =>
  serve((_request, response) => {
    response.statusCode = status;
    response.end('x'.repeat(100_000)); // large enough that an unread body would hold its connection
  });

describe('a wrapped fetch', () => {
  it('has the type of fetch', async () => {
    expectTypeOf(wrapFetch(clientOver([await echo()]))).toEqualTypeOf<typeof fetch>();
  });

  it('sends strings, URLs and Requests to an instance, unchanged but for host and port', async () => {
    const fetch = wrapFetch(clientOver([await echo()]));
    expect(await (await fetch('http://orders/a?b=c')).json()).toEqual({
      method: 'GET',
      url: '/a?b=c',
      body: '',
    });
    expect(
      await (await fetch(new URL('http://ORDERS/x'), { method: 'POST', body: 'hi' })).json(),
    ).toEqual({ method: 'POST', url: '/x', body: 'hi' });
    const request = new Request('http://orders/r', { method: 'PUT', body: 'yo' });
    expect(await (await fetch(request)).json()).toEqual({ method: 'PUT', url: '/r', body: 'yo' });
  });

  it('retries failing replies, frees their bodies, and returns the last when all fail', async () => {
    const [bad, worse] = [await failing(503), await failing(500)];
    const good = await echo();
    const fetch = wrapFetch(clientOver([bad, good]));
    for (let i = 0; i < 20; i++) expect((await fetch('http://orders/')).status).toBe(200);
    expect(bad.seen.length).toBeGreaterThan(0);

    const reply = await wrapFetch(clientOver([bad, worse]))('http://orders/');
    expect([500, 503]).toContain(reply.status);
    expect(await reply.text()).toHaveLength(100_000);
  });

  it('retries a POST only when it was refused', async () => {
    const good = await echo();
    const bad = await failing(503);
    const refused = wrapFetch(clientOver([{ port: await refusedPort() }, good]));
    for (let i = 0; i < 4; i++) {
      expect((await refused('http://orders/', { method: 'POST', body: 'b' })).status).toBe(200);
    }
    expect(good.seen).toHaveLength(4);
    const failed = wrapFetch(clientOver([bad, bad]));
    expect((await failed('http://orders/', { method: 'POST', body: 'b' })).status).toBe(503);
    expect(bad.seen).toHaveLength(1);
  });

  it.each([
    ['a name that is none', 'http://no-such-host.invalid/next'],
    ['an address that refuses', 'http://127.0.0.1:59998/next'],
  ])('never repeats a POST that was answered with a redirect to %s', async (_what, location) => {
    const answers = (): Promise<TestServer> =>
      serve((_request, response) => response.writeHead(303, { location }).end());
    const servers = [await answers(), await answers()];
    const client = clientOver(servers);
    const reply = wrapFetch(client)('http://orders/x', { method: 'POST', body: 'b' });
    await expect(reply).rejects.toThrow(TypeError);
    expect(servers.flatMap(({ seen }) => seen)).toEqual(['POST /x']);
    for (const { successRatio } of client.snapshot().instances) expect(successRatio).toBe(1);
  });

  it('follows the redirect of a POST as fetch does: 303 as GET, 307 with method and body', async () => {
    const server = await serve((request, response) => {
      const status = { '/303': 303, '/307': 307 }[request.url ?? ''];
      if (status !== undefined) response.writeHead(status, { location: '/end' });
      void readBody(request).then((body) => {
        response.end(
          `${request.method ?? ''} ${body} ${request.headers['content-type'] ?? '-'} ${request.headers.authorization ?? '-'}`,
        );
      });
    });
    const fetch = wrapFetch(clientOver([server]));
    const init = {
      method: 'POST',
      body: 'b',
      headers: { Authorization: 'Bearer t', 'Content-Type': 'text/x' },
    };
    const seeOther = await fetch('http://orders/303', init);
    expect(await seeOther.text()).toBe('GET  - Bearer t');
    expect(seeOther.redirected).toBe(true);
    const again = await fetch('http://orders/307', init);
    expect(await again.text()).toBe('POST b text/x Bearer t');
    const manual = await fetch('http://orders/303', { ...init, redirect: 'manual' });
    expect(manual.status).toBe(303);
    const stream = new Blob(['s']).stream();
    const streamed = { method: 'POST', body: stream, duplex: 'half' } as RequestInit;
    await expect(fetch('http://orders/307', streamed)).rejects.toThrow(TypeError);
  });

  it('gives up on a POST redirected for ever', async () => {
    const server = await serve((_request, response) =>
      response.writeHead(307, { location: '/again' }).end(),
    );
    const reply = wrapFetch(clientOver([server]))('http://orders/', { method: 'POST', body: 'b' });
    await expect(reply).rejects.toMatchObject({ cause: { message: 'redirect count exceeded' } });
    expect(server.seen).toHaveLength(21);
  });

  it("tells the other origin of a POST's redirect no credentials", async () => {
    const other = await serve((request, response) =>
      response.end(request.headers.authorization ?? 'none'),
    );
    const location = `http://127.0.0.1:${String(other.port)}/`;
    const server = await serve((_request, response) => response.writeHead(303, { location }).end());
    const reply = await wrapFetch(clientOver([server]))('http://orders/', {
      method: 'POST',
      headers: { authorization: 'Bearer t' },
    });
    expect(await reply.text()).toBe('none');
  });

  it('takes null for no init, as fetch does, and blames nobody for redirect: error', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/go') response.writeHead(302, { location: '/' });
      response.end('ok');
    });
    const client = clientOver([server]);
    const fetch = wrapFetch(client);
    const none = null as unknown as undefined;
    expect(await (await fetch('http://orders/', none)).text()).toBe('ok');
    await expect(fetch('http://orders/go', { redirect: 'error' })).rejects.toThrow(TypeError);
    expect(client.snapshot().instances[0]?.successRatio).toBe(1);
  });

  it('retries a POST with an Idempotency-Key', async () => {
    const [bad, good] = [await failing(503), await echo()];
    const fetch = wrapFetch(clientOver([bad, good]));
    for (let i = 0; i < 4; i++) {
      const init = { method: 'POST', headers: { 'Idempotency-Key': 'k' }, body: 'b' };
      expect((await fetch('http://orders/', init)).status).toBe(200);
    }
    expect(bad.seen.length).toBeGreaterThan(0);
  });

  it('sends a stream once only, but to another instance while it has not begun', async () => {
    const [refused, bad, good] = [{ port: await refusedPort() }, await failing(503), await echo()];
    const init = (): RequestInit => ({ method: 'PUT', body: streamOf('s'), duplex: 'half' });
    const unsent = wrapFetch(clientOver([refused, good]));
    for (let i = 0; i < 4; i++) {
      expect(await (await unsent('http://orders/', init())).json()).toMatchObject({ body: 's' });
    }
    const sent = wrapFetch(clientOver([bad, bad]));
    expect((await sent('http://orders/', init())).status).toBe(503);
    expect(bad.seen).toEqual(['PUT /']);
  });

  it.each<[string, () => NonNullable<RequestInit['body']>]>([
    ['a string', () => 'body'],
    ['a Buffer', () => Buffer.from('body')],
    ['a Blob', () => new Blob(['body'])],
    ['parameters', () => new URLSearchParams('body')],
    ['a form', formOf],
  ])('replays %s, in an init and in a Request', async (_what, body) => {
    const seen: string[] = [];
    const start = (status: number): Promise<TestServer> =>
      serve((request, response) => {
        void readBody(request).then((text) => {
          // A form has another boundary each time it is made.
          seen.push(text.replaceAll(/-+formdata-undici-\d+/g, '-'));
          response.writeHead(status).end();
        });
      });
    const fetch = wrapFetch(clientOver([await start(503), await start(200)]));
    expect((await fetch('http://orders/', { method: 'PUT', body: body() })).status).toBe(200);
    const request = new Request('http://orders/', { method: 'PUT', body: body() });
    expect((await fetch(request)).status).toBe(200);
    expect(seen.length).toBeGreaterThan(2);
    expect(seen[0]).toContain('body');
    expect(new Set(seen).size).toBe(1);
  });

  it("rejects with the caller's reason within 10 ms, and blames nobody", async () => {
    const client = clientOver([await serve(() => undefined)]);
    const controller = new AbortController();
    const reply = wrapFetch(client)('http://orders/', { signal: controller.signal });
    const settled = reply.catch((error: unknown) => error);
    await sleep(30);
    const reason = new Error('enough');
    controller.abort(reason);
    // Raced, not timed: on a busy machine 10 ms may pass unused.
    expect(await Promise.race([settled, sleep(10)])).toBe(reason);
    expect(client.snapshot().instances[0]).toMatchObject({ pending: 0, successRatio: 1 });
  });

  it("lets the caller's signal abort the body, after the headers", async () => {
    const server = await serve((_request, response) => {
      response.write('part');
    });
    const controller = new AbortController();
    const reply = await wrapFetch(clientOver([server]))('http://orders/', {
      signal: controller.signal,
    });
    const text = reply.text().catch((error: unknown) => error);
    controller.abort(new Error('enough'));
    expect(await text).toMatchObject({ message: 'enough' });
  });

  it('rejects with a TypeError whose cause is typed when a time limit is reached', async () => {
    const hanging = [await serve(() => undefined), await serve(() => undefined)];
    const fetch = wrapFetch(clientOver(hanging, { timeoutMs: 100 }));
    const error: unknown = await fetch('http://orders/').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TypeError);
    expect(isFairleadError((error as TypeError).cause)).toBe(true);
    expect(attemptsOf(error)).toHaveLength(2);
  });

  it('takes options of a request in its init', async () => {
    const [bad, good] = [await failing(404), await echo()];
    const client = clientOver([bad, good], { hedge: { delayMs: 1, maxRatio: 1 } });
    const fetch = wrapFetch(client);
    const records: AttemptRecord[] = [];
    const fairlead: FairleadRequestOptions = {
      idempotent: true,
      hedge: false,
      timeoutMs: 5_000,
      onAttempt: (record) => records.push(record),
      classify: ({ ok, ...settled }) => {
        const missing = ok && 'value' in settled && (settled.value as Response).status === 404;
        return missing ? { outcome: 'failure', retry: 'if-idempotent' } : undefined;
      },
    };
    for (let i = 0; i < 2; i++) {
      const reply = await fetch('http://orders/', { method: 'POST', body: 'b', fairlead });
      expect(reply.status).toBe(200);
    }
    expect(bad.seen).toHaveLength(1);
    expect(records).toHaveLength(3);
    const hanging = wrapFetch(clientOver([await serve(() => undefined)]));
    const request = new Request('http://orders/');
    await expect(hanging(request, { fairlead: { timeoutMs: 50 } })).rejects.toMatchObject({
      cause: { message: expect.stringContaining('timeoutMs 50') as string },
    });
    const odd = { timeout: 5 } as object;
    await expect(fetch('http://orders/', { fairlead: odd })).rejects.toMatchObject({
      cause: { message: expect.stringContaining('"fairlead.timeout"') as string },
    });
  });

  it("tells with fetch's own error and with one of Fairlead's that the budget was used up", async () => {
    const retry = { budget: { ratio: 0, minPerSecond: 0 } };
    const cutting = (): Promise<TestServer> => serve((request) => request.socket.destroy());
    const cut = wrapFetch(clientOver([await cutting(), await cutting()], { retry }));
    const own: unknown = await cut('http://orders/').catch((error: unknown) => error);
    expect(own).toBeInstanceOf(TypeError);
    expect(isFairleadError((own as TypeError).cause)).toBe(false);
    expect(storyOf(own)).toMatchObject({ attempts: [{ attempt: 1 }], budgetExhausted: true });

    const hanging = [await serve(() => undefined), await serve(() => undefined)];
    const slow = wrapFetch(clientOver(hanging, { retry, attemptTimeoutMs: 30 }));
    const made: unknown = await slow('http://orders/').catch((error: unknown) => error);
    expect((made as TypeError).cause).toMatchObject({ code: 'ERR_FAIRLEAD_ATTEMPT_TIMEOUT' });
    expect(storyOf(made)).toMatchObject({
      attempts: [{ attempt: 1, ended: 'timed-out' }],
      budgetExhausted: true,
    });
  });

  it('rejects with a TypeError when too much is under way', async () => {
    const server = await serve(() => undefined);
    const client = clientOver([server], { maxConcurrency: { client: 1, queueSize: 0 } });
    const fetch = wrapFetch(client);
    const controller = new AbortController();
    const first = fetch('http://orders/', { signal: controller.signal }).catch(() => 'aborted');
    await vi.waitFor(() => expect(server.seen).toHaveLength(1));
    const error: unknown = await fetch('http://orders/').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as TypeError).cause).toMatchObject({ code: 'ERR_FAIRLEAD_CONCURRENCY_LIMIT' });
    expect(storyOf(error)).toEqual({ attempts: [], budgetExhausted: false });
    controller.abort();
    expect(await first).toBe('aborted');
  });

  it('picks anew for each redirect to the service, credentials and all', async () => {
    const start = (): Promise<TestServer> =>
      serve((request, response) => {
        const location = {
          '/logical': 'http://orders/relative',
          '/relative': 'own',
          '/own': `http://${request.headers.host ?? ''}/end`,
        }[request.url ?? ''];
        if (location !== undefined) response.writeHead(302, { location });
        response.end(request.headers.authorization);
      });
    const servers = [await start(), await start()];
    const fetch = wrapFetch(clientOver(servers));
    const headers = { authorization: 'Bearer t' };
    const reply = await fetch('http://orders/logical', { headers });
    expect(await reply.text()).toBe('Bearer t');
    expect([reply.redirected, reply.url]).toEqual([true, 'http://orders/end']);
    expect(servers.map(({ seen }) => seen.length)).toEqual([2, 2]);
    const manual = await fetch('http://orders/logical', { redirect: 'manual' });
    expect(manual.status).toBe(302);
  });

  it('tells the other host no credentials, and blames nobody for what it answers', async () => {
    const other = await serve((request, response) =>
      response.writeHead(503).end(request.headers.authorization ?? 'none'),
    );
    const location = `http://127.0.0.1:${other.port}/`;
    const start = (): Promise<TestServer> =>
      serve((_request, response) => response.writeHead(302, { location }).end());
    const servers = [await start(), await start()];
    const client = clientOver(servers);
    const headers = { authorization: 'Bearer t' };
    const reply = await wrapFetch(client)('http://orders/', { headers });
    expect([reply.status, await reply.text()]).toEqual([503, 'none']);
    expect(servers.flatMap(({ seen }) => seen)).toHaveLength(1);
    for (const { successRatio } of client.snapshot().instances) expect(successRatio).toBe(1);
  });

  it.each([
    ['for ever', { location: '/again' }, {}, 21],
    ['to what is no URL', { location: 'http://' }, {}, 1],
    ['with a body that is used up', { location: '/again' }, STREAMED, 1],
  ])('blames nobody for a redirect %s', async (_what, headers, init, requests) => {
    const server = await serve((_request, response) => response.writeHead(307, headers).end());
    const client = clientOver([server]);
    const body = 'duplex' in init ? { body: streamOf('once') } : {};
    const reply = wrapFetch(client)('http://orders/', { ...init, ...body });
    await expect(reply).rejects.toThrow(TypeError);
    expect(server.seen).toHaveLength(requests);
    expect(client.snapshot().instances[0]?.successRatio).toBe(1);
  });

  it.each([
    ['cut', { attemptTimeoutMs: 60 }, 'failure'],
    ['a loser', { hedge: { delayMs: 30, maxRatio: 1 } }, 'ignored'],
  ])('has the connection of an attempt that is %s closed', async (_what, options, outcome) => {
    const cut: Socket[] = [];
    const slow = await serve((request) => {
      cut.push(request.socket);
    });
    const client = clientOver([slow, await echo()], options);
    const records: AttemptRecord[] = [];
    const onAttempt = (record: AttemptRecord): number => records.push(record);
    const uncaught = await collectUncaught(async () => {
      for (let i = 0; i < 2; i++) {
        const reply = await wrapFetch(client)('http://orders/', { fairlead: { onAttempt } });
        expect(await reply.json()).toMatchObject({ method: 'GET' });
      }
      await vi.waitFor(() => expect(cut.map(({ destroyed }) => destroyed)).toEqual([true]));
    });
    expect(uncaught).toEqual([]);
    expect(records.find(({ ended }) => ended !== 'returned')).toMatchObject({ outcome });
  });

  it('leaves other hosts and malformed URLs to fetch', async () => {
    const [service, other] = [await echo(), await echo()];
    const fetch = wrapFetch(clientOver([service]));
    expect((await fetch(`http://127.0.0.1:${String(other.port)}/x`)).status).toBe(200);
    expect(service.seen).toEqual([]);
    await expect(fetch('/relative')).rejects.toThrow(TypeError);
  });

  it('sends through a fetch of the caller', async () => {
    const own = vi.fn(() => Promise.resolve(new Response('mine')));
    const fetch = wrapFetch(clientOver([{ port: 1 }]), { fetch: own });
    expect(await (await fetch('http://orders/')).text()).toBe('mine');
    expect(own).toHaveBeenCalledTimes(1);
  });
});

const STREAMED: RequestInit = { method: 'PUT', duplex: 'half' };

function formOf(): FormData {
  const form = new FormData();
  form.set('field', 'body');
  return form;
}

function streamOf(text: string): ReadableStream {
  return new Blob([text]).stream() as ReadableStream;
}
