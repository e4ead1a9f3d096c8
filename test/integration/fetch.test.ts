import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import { wrapFetch } from '../../src/clients/fetch.js';
import { attemptsOf, isFairleadError } from '../../src/index.js';
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

  it.each([['a stream', (): RequestInit => ({ body: streamOf('s'), duplex: 'half' })]])(
    'never replays %s',
    async (_name, init) => {
      const [refused, good] = [{ port: await refusedPort() }, await echo()];
      const fetch = wrapFetch(clientOver([refused, good]));
      const results: string[] = [];
      for (let i = 0; i < 2; i++) {
        const reply = fetch('http://orders/', { method: 'PUT', ...init() });
        results.push(await reply.then(() => 'sent').catch((error: unknown) => String(error)));
      }
      expect(results.sort()).toEqual(['TypeError: fetch failed', 'sent']);
      expect(good.seen).toHaveLength(1);
    },
  );

  it('never replays the body of a Request', async () => {
    const bad = await failing(503);
    const fetch = wrapFetch(clientOver([bad, bad]));
    const reply = await fetch(new Request('http://orders/', { method: 'PUT', body: 'once' }));
    expect(reply.status).toBe(503);
    expect(bad.seen).toEqual(['PUT /']);
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

function streamOf(text: string): ReadableStream {
  return new Blob([text]).stream() as ReadableStream;
}
