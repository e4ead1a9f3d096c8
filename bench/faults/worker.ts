/** One subject in a process of its own. argv: its name, and what it is to do, as JSON. Begins at the first message. */
import { bucketOf } from './buckets.js';
import { type Calls, type LoopPlan, openLoop } from './open-loop.js';
import { SUBJECTS } from './subjects.js';

export interface Order extends LoopPlan {
  readonly ports: readonly number[];
  /** Of the proxy before them, if there is one. */
  readonly proxyUrl: string | undefined;
}

export interface Done {
  readonly calls: Calls;
  /** Attempts of the client by backend and 100 ms, as far as they can be seen. */
  readonly attempts: readonly {
    readonly port: number;
    readonly bucket: number;
    readonly count: number;
  }[];
}

const [name = '', given = '{}'] = process.argv.slice(2);
const order = JSON.parse(given) as Order;
const subject = SUBJECTS[name];
if (subject === undefined) throw new Error(`no such subject: ${name}`);

const attempts = new Map<string, { port: number; bucket: number; count: number }>();
const send = await subject.open({
  ports: order.ports,
  proxyUrl: order.proxyUrl,
  onAttempt: (port, atMs) => {
    const bucket = bucketOf(atMs);
    const key = `${port} ${bucket}`;
    const seen = attempts.get(key);
    if (seen === undefined) attempts.set(key, { port, bucket, count: 1 });
    else seen.count++;
  },
});

process.once('message', () => {
  void openLoop(send, order).then((calls) => {
    process.send?.({ calls, attempts: [...attempts.values()] } satisfies Done);
  });
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
