import axios, { type CancelToken, type InternalAxiosRequestConfig } from 'axios';
import { expect, it } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { rig } from '../support/fixtures.js';

/** Not in axios's types. */
interface Subscribable {
  subscribe(listener: unknown): void;
  unsubscribe(listener: unknown): void;
}

/** How many listen to `token` from now on. */
function listenersTo(token: CancelToken): ReadonlySet<unknown> {
  const listeners = new Set();
  const told = token as unknown as Subscribable;
  told.subscribe = (listener) => listeners.add(listener);
  told.unsubscribe = (listener) => listeners.delete(listener);
  return listeners;
}

it.each(['http://orders/', 'http://elsewhere/'])(
  'leaves nothing behind at a cancel token that lives on: %s',
  async (url) => {
    const { client } = await rig(['a']);
    const { token } = axios.CancelToken.source();
    const listeners = listenersTo(token);
    const seen: number[] = [];
    const adapter = (config: InternalAxiosRequestConfig) => {
      seen.push(listeners.size);
      return Promise.resolve({ data: '', status: 200, statusText: 'OK', headers: {}, config });
    };
    const http = wrapAxios(axios.create({ adapter }), client);
    await http.get(url, { cancelToken: token });
    expect(seen).toHaveLength(1);
    expect(listeners.size).toBe(0);
    await client.close();
  },
);

it('rejects with what cannot be written to as it is', async () => {
  const { client } = await rig(['a']);
  const error = Object.freeze(Object.assign(new Error('mine'), { isAxiosError: true }));
  const http = wrapAxios(axios.create({ adapter: () => Promise.reject(error) }), client);
  await expect(http.post('http://orders/')).rejects.toThrow(TypeError);
  const response = Object.freeze({
    status: 200,
    statusText: 'OK',
    headers: {},
    data: '',
    config: {},
  });
  const frozen = wrapAxios(
    axios.create({ adapter: () => Promise.resolve(response) as never }),
    client,
  );
  await expect(frozen.get('http://orders/')).rejects.toThrow(TypeError);
  await client.close();
});
