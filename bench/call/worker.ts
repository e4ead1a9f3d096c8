/** A process that measures one way to make a call, when told to: `tsx worker.ts <library> <name>`, over IPC. */
import { bytesPerPick } from '../pick/measure.js';
import type { Answer, Order } from '../pick/worker.js';
import { timeCalls } from './time-calls.js';
import type { Prepared } from './subject.js';
import { loadSubject } from './subjects.js';

const [library = '', name = ''] = process.argv.slice(2);
const subject = await loadSubject(library, name);
let prepared: Prepared | undefined;

process.on('message', (order: Order) => {
  obey(order).then(
    (value) => process.send?.({ value } satisfies Answer),
    (error: unknown) => process.send?.({ error: String(error) } satisfies Answer),
  );
});
process.once('disconnect', () => process.exit());
process.send?.({ value: 0 } satisfies Answer);

/** `n` is what to prepare for. */
async function obey({ kind, n, forMs }: Order): Promise<unknown> {
  if (kind === 'prepare') {
    await prepared?.close?.();
    prepared = await subject.prepare(n);
    return 0;
  }
  if (prepared === undefined) throw new Error('not prepared');
  const { run } = prepared;
  if (kind === 'time') return timeCalls(run, forMs);
  await timeCalls(run, forMs);
  return bytesPerPick(run);
}
