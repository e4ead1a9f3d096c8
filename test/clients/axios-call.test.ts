import { Readable } from 'node:stream';
import axios, { type AxiosAdapter, type InternalAxiosRequestConfig } from 'axios';
import { expect, it } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { refused } from '../support/errors.js';
import { rig } from '../support/fixtures.js';
import { deferred } from '../support/promises.js';

/** What became of it. */
async function settled(
  promise: Promise<unknown>,
): Promise<PromiseSettledResult<unknown> | undefined> {
  const [result] = await Promise.allSettled([promise]);
  return result;
}

function answering(seen: InternalAxiosRequestConfig[]): AxiosAdapter {
  return (config) => {
    seen.push(config);
    return Promise.resolve({ data: '', status: 200, statusText: 'OK', headers: {}, config });
  };
}

it.each(['cancelled', 'timed out'])(
  'sends nothing where the call was %s while its body was made',
  async (how) => {
    const { client, clock } = await rig(['a']);
    const seen: InternalAxiosRequestConfig[] = [];
    const http = wrapAxios(axios.create({ adapter: answering(seen) }), client);
    const body = deferred<string>();
    const controller = new AbortController();
    const posted = settled(
      http.post('http://orders/', undefined, {
        signal: controller.signal,
        timeout: 20,
        fairlead: { body: () => body.promise },
      }),
    );
    await clock.advance(10);
    if (how === 'cancelled') controller.abort();
    await clock.advance(20);
    expect(await posted).toMatchObject({
      reason: { code: how === 'cancelled' ? 'ERR_CANCELED' : 'ECONNABORTED' },
    });
    body.resolve('late');
    await clock.advance(20);
    expect(seen).toEqual([]);
    await client.close();
  },
);

it('ends with what the attempt ended with where its body cannot be freed', async () => {
  const { client } = await rig(['a'], { retry: { maxAttempts: 1 } });
  const body = Object.assign(Readable.from(['x']), {
    destroy: () => {
      throw new Error('never frees itself');
    },
  });
  const http = wrapAxios(axios.create({ adapter: () => Promise.reject(refused()) }), client);
  const posted = http.post('http://orders/', undefined, { fairlead: { body: () => body } });
  await expect(posted).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await client.close();
});

it.each<[string, () => unknown, object]>([
  [
    'throws at once',
    () => {
      throw new Error('busy');
    },
    { message: 'busy' },
  ],
  ['gives no promise', () => ({ status: 204, config: {} }), { status: 204 }],
])('goes with a client whose call %s', async (_how, call, expected) => {
  const { client } = await rig(['a']);
  const proxied = new Proxy(client, {
    get(target, key): unknown {
      if (key === 'call') return call;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  const http = wrapAxios(axios.create({ adapter: answering([]) }), proxied);
  const { token } = axios.CancelToken.source();
  const got = await settled(http.get('http://orders/', { cancelToken: token }));
  expect(got).toMatchObject('message' in expected ? { reason: expected } : { value: expected });
  const { _listeners: left } = token as unknown as { _listeners: unknown[] | null };
  expect(left ?? []).toEqual([]);
  await client.close();
});
