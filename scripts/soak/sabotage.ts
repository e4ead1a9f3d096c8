/** Ways to break what the soak watches over, to see that it notices: `--sabotage late,body,posts,leak,...`. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller, Work } from './callers.js';

export const SABOTAGES = [
  'late',
  'body',
  'posts',
  'leak',
  'rejection',
  'pending',
  'socket',
] as const;
export type Sabotage = (typeof SABOTAGES)[number];

/** A caller that does wrong once in a while. */
export function sabotaged(caller: Caller, kinds: ReadonlySet<Sabotage>): Caller {
  const leaked: string[] = [];
  let calls = 0;
  const send = async (work: Work): Promise<string> => {
    calls++;
    if (kinds.has('leak')) leaked.push(`${work.id} `.repeat(3_000).split(' ').reverse().join());
    if (kinds.has('rejection') && calls === 10) void Promise.reject(new Error('nobody listens'));
    if (kinds.has('pending') && calls === 10) caller.client.pick();
    if (kinds.has('socket') && calls % 100 === 0) holdConnection(caller);
    const text = await caller.send(work);
    if (kinds.has('posts') && work.method === 'POST' && calls % 10 === 0) await caller.send(work);
    if (kinds.has('late') && calls % 50 === 0) await sleep(4_000);
    return kinds.has('body') && calls % 20 === 0 ? text.slice(0, -1) : text;
  };
  return { ...caller, send };
}

/** A connection that nobody closes. */
function holdConnection({ client }: Caller): void {
  const lease = client.pick();
  lease.end('ignored');
  connect(lease.instance.port, lease.instance.host).on('error', () => undefined);
}
