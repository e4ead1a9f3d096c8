import { BalancedPool, Client, RoundRobinPool } from 'undici';
import type { Subject } from '../subject.js';

/** Each dispatch begins with this method; it is behind a symbol. No connection is ever made. */
const GET_DISPATCHER = 'get dispatcher';
const ADD_CLIENT = 'add client';

const balancedPool: Subject = {
  library: 'undici',
  name: 'BalancedPool',
  prepare(n) {
    const origins = Array.from({ length: n }, (_, i) => `http://10.0.0.1:${i + 1}`);
    const pool = new BalancedPool(origins);
    let joined = n;
    return {
      pick: picking(pool),
      update: () => pool.addUpstream(`http://10.0.0.1:${++joined}`),
    };
  },
};

/** Takes turns among the connections to one origin: `n` of them. */
const roundRobinPool: Subject = {
  library: 'undici',
  name: 'RoundRobinPool',
  prepare(n) {
    const pool = new RoundRobinPool('http://10.0.0.1:80');
    const add = symbolOf(pool, ADD_CLIENT);
    const adding = pool as unknown as Record<symbol, (client: Client) => unknown>;
    for (let i = 0; i < n; i++) adding[add]?.(new Client('http://10.0.0.1:80'));
    return { pick: picking(pool) };
  },
};

export const undici: readonly Subject[] = [balancedPool, roundRobinPool];

function picking(pool: object): (times: number) => number {
  const symbol = symbolOf(pool, GET_DISPATCHER);
  const dispatcher = pool as Record<symbol, () => { readonly closed: boolean } | undefined>;
  return (times) => {
    let sum = 0;
    for (let i = 0; i < times; i++) sum += dispatcher[symbol]?.()?.closed === false ? 1 : 0;
    return sum;
  };
}

function symbolOf(of: object, description: string): symbol {
  for (let at: object | null = of; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const found = Object.getOwnPropertySymbols(at).find((own) => own.description === description);
    if (found !== undefined) return found;
  }
  throw new Error(`undici has no "${description}" any more`);
}
