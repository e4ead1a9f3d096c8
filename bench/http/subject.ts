import { type Client, createClient } from 'fairlead';
import { staticList } from 'fairlead/static';
import type { Proxy } from '../proxies/types.js';

/** Makes one request and reads its answer. */
export type Send = () => Promise<unknown>;

/** One that sends through a proxy of its own. */
export interface Proxied {
  readonly send: Send;
  readonly proxy: Proxy;
}

/** What is compared. All keep connections. @param ports of the backends. */
export type Subject = (ports: readonly number[]) => Promise<Send | Proxied> | Send;

export type Subjects = Readonly<Record<string, Subject>>;

export function originOf(port: number): string {
  return `http://127.0.0.1:${String(port)}`;
}

export function inTurn<T>(all: readonly T[]): () => T {
  let next = 0;
  return () => {
    const each = all[next++ % all.length];
    if (each === undefined) throw new Error('nothing to take in turn');
    return each;
  };
}

/** A client with all defaults. */
export async function clientOver(ports: readonly number[]): Promise<Client> {
  const client = createClient({
    service: 'orders',
    discovery: staticList(ports.map((port) => ({ host: '127.0.0.1', port }))),
  });
  await client.ready();
  return client;
}
