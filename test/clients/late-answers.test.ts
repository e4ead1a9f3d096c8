/** What becomes of an answer that comes when its attempt is over: from a sender that does not heed its signal. */
import { Readable } from 'node:stream';
import axios, { AxiosError, AxiosHeaders, type InternalAxiosRequestConfig } from 'axios';
import { describe, expect, it, vi } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { wrapFetch } from '../../src/clients/fetch.js';
import { type AttemptRecord, attemptsOf, type ClientOptions } from '../../src/index.js';
import { settle } from '../../src/testing/manual-clock.js';
import { rig } from '../support/fixtures.js';
import { collectUncaught, type Deferred, deferred, watched } from '../support/promises.js';

const CUT: Partial<ClientOptions> = { policy: 'round-robin', attemptTimeoutMs: 50 };
const HEDGED: Partial<ClientOptions> = {
  policy: 'round-robin',
  hedge: { delayMs: 50, maxRatio: 1 },
};

/** What every attempt is answered with, when the test says so. */
function answers<T>(): { readonly send: () => Promise<T>; readonly of: Deferred<T>[] } {
  const of: Deferred<T>[] = [];
  const send = (): Promise<T> => {
    const answer = deferred<T>();
    of.push(answer);
    return answer.promise;
  };
  return { send, of };
}

function reply(config: InternalAxiosRequestConfig, data: unknown, status = 200) {
  return { data, status, statusText: '', headers: new AxiosHeaders(), config };
}

async function axiosOver(options: Partial<ClientOptions>) {
  const { client, clock } = await rig(['a', 'b'], options);
  const { send, of } = answers<ReturnType<typeof reply>>();
  const configs: InternalAxiosRequestConfig[] = [];
  const adapter = (config: InternalAxiosRequestConfig) => {
    configs.push(config);
    return send();
  };
  const records: AttemptRecord[] = [];
  const onAttempt = (record: AttemptRecord): number => records.push(record);
  const http = axios.create({ baseURL: 'http://orders', adapter, fairlead: { onAttempt } });
  return { http: wrapAxios(http, client), client, clock, of, configs, records };
}

describe.each([
  ['was cut', CUT, ['timed-out', 'returned'], 'failure'],
  ['has lost against a hedge', HEDGED, ['lost', 'returned'], 'ignored'],
])('axios, when an attempt %s', (_what, options, endings, outcome) => {
  it('frees the stream that still comes, and returns that of the other', async () => {
    const { http, client, clock, of, configs, records } = await axiosOver(options);
    const [late, used] = [Readable.from(['late']), Readable.from(['used'])];
    const call = http.get<Readable>('/x', { responseType: 'stream' });
    await clock.advance(100);
    const [first, second] = configs as [InternalAxiosRequestConfig, InternalAxiosRequestConfig];
    of[1]?.resolve(reply(second, used));
    const response = await call;
    expect(response.data).toBe(used);
    expect(response.config.url).toBe('/x');
    expect(first.signal).toMatchObject({ aborted: true });
    of[0]?.resolve(reply(first, late));
    await settle();
    expect(late.destroyed).toBe(true);
    expect(used.destroyed).toBe(false);
    used.destroy();
    await settle();
    expect([...records].sort((a, b) => a.attempt - b.attempt).map(({ ended }) => ended)).toEqual(
      endings,
    );
    expect(records.find(({ attempt }) => attempt === 1)?.outcome).toBe(outcome);
    expect(client.snapshot()).toMatchObject({
      inFlight: 0,
      instances: [{ pending: 0 }, { pending: 0 }],
    });
    await client.close();
  });

  it('leaves the error that still comes as it is, unheard of', async () => {
    const { http, client, clock, of, configs } = await axiosOver(options);
    const uncaught = await collectUncaught(async () => {
      const call = watched(http.get('/x'));
      await clock.advance(100);
      const [first, second] = configs as [InternalAxiosRequestConfig, InternalAxiosRequestConfig];
      const missing = new AxiosError(
        'missing',
        AxiosError.ERR_BAD_REQUEST,
        second,
        {},
        reply(second, '', 404),
      );
      of[1]?.reject(missing);
      await settle();
      expect(call.error).toBe(missing);
      expect(missing.config?.url).toBe('/x');
      const late = new AxiosError('late', AxiosError.ERR_BAD_RESPONSE, first);
      of[0]?.reject(late);
      await settle();
      expect(late.config).toBe(first);
      expect(attemptsOf(late)).toEqual([]);
      expect(attemptsOf(missing)).toHaveLength(2);
    });
    expect(uncaught).toEqual([]);
    await client.close();
  });

  it('runs interceptors and transformers once', async () => {
    const { http, client, clock, of, configs } = await axiosOver(options);
    const [asked, answered] = [vi.fn(), vi.fn()];
    const [transformRequest, transformResponse] = [
      vi.fn((data: unknown) => data),
      vi.fn((data: unknown) => data),
    ];
    http.interceptors.request.use((config) => {
      asked();
      return config;
    });
    http.interceptors.response.use((response) => {
      answered();
      return response;
    });
    const call = http.put('/x', 'body', { transformRequest, transformResponse });
    await clock.advance(100);
    const [first, second] = configs as [InternalAxiosRequestConfig, InternalAxiosRequestConfig];
    of[1]?.resolve(reply(second, 'ok'));
    of[0]?.resolve(reply(first, 'ok'));
    await call;
    await settle();
    for (const fn of [asked, answered, transformRequest, transformResponse]) {
      expect(fn).toHaveBeenCalledTimes(1);
    }
    await client.close();
  });
});

describe.each([
  ['was cut', CUT],
  ['has lost against a hedge', HEDGED],
])('fetch, when an attempt %s', (_what, options) => {
  it('cancels the body that still comes, and returns that of the other', async () => {
    const { client, clock } = await rig(['a', 'b'], options);
    const { send, of } = answers<Response>();
    const signals: (AbortSignal | null | undefined)[] = [];
    const fetch = wrapFetch(client, {
      fetch: (_input, init) => {
        signals.push(init?.signal);
        return send();
      },
    });
    const cancel = vi.fn();
    const call = fetch('http://orders/');
    await clock.advance(100);
    of[1]?.resolve(new Response('used'));
    const response = await call;
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, false]);
    of[0]?.resolve(new Response(new ReadableStream({ cancel })));
    await settle();
    expect(cancel).toHaveBeenCalledTimes(1);
    expect(await response.text()).toBe('used');
    await client.close();
  });

  it('does not hear of the error that still comes', async () => {
    const { client, clock } = await rig(['a', 'b'], options);
    const { send, of } = answers<Response>();
    const uncaught = await collectUncaught(async () => {
      const call = wrapFetch(client, { fetch: send })('http://orders/');
      await clock.advance(100);
      of[1]?.resolve(new Response('used'));
      expect(await (await call).text()).toBe('used');
      of[0]?.reject(new TypeError('late'));
      await settle();
    });
    expect(uncaught).toEqual([]);
    await client.close();
  });
});
