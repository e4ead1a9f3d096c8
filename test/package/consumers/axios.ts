import axios, { type AxiosInstance } from 'axios';
import Consul from 'consul';
import { createClientPool } from 'fairlead';
import { wrapAxios } from 'fairlead/axios';
import { consul } from 'fairlead/consul';

export const pool = createClientPool({ discovery: consul({ url: 'http://127.0.0.1:8500' }) });
export const http: AxiosInstance = wrapAxios(axios.create({ baseURL: 'http://orders/v1' }), pool);
export const agent: Consul = new Consul();

export async function order(id: number): Promise<{ readonly total: number }> {
  const options = { fairlead: { idempotent: true, hashKey: String(id) } };
  return (await http.get<{ total: number }>(`/orders/${String(id)}`, options)).data;
}

// @ts-expect-error A typo: the request config knows the options by name.
void http.get('/orders/7', { fairlead: { idempotnt: true } });
