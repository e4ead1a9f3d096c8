/** A process that measures one subject, when told to: `tsx worker.ts <library> <name>`, over IPC. */
import { bytesPerPick, median, nsPerPick } from './measure.js';
import type { Prepared } from './subject.js';
import { loadSubject } from './subjects.js';

export interface Order {
  readonly kind: 'prepare' | 'time' | 'bytes' | 'update';
  readonly n: number;
  readonly forMs: number;
}

export type Answer = { readonly value: unknown } | { readonly error: string };

const UPDATES = 5;

const [library = '', name = ''] = process.argv.slice(2);
const subject = await loadSubject(library, name);
const prepared = new Map<number, Prepared>();

process.on('message', (order: Order) => {
  obey(order).then(
    (value) => process.send?.({ value }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.once('disconnect', () => process.exit());
process.send?.({ value: 0 });

/** @returns what was measured: ms for `prepare` and `update`, ns for `time`. */
async function obey({ kind, n, forMs }: Order): Promise<number> {
  if (kind === 'prepare') {
    const start = performance.now();
    const made = await subject.prepare(n);
    prepared.set(n, made);
    return made.buildMs ?? performance.now() - start;
  }
  const ready = prepared.get(n);
  if (ready === undefined) throw new Error(`not prepared for ${n}`);
  const { pick, update } = ready;
  if (kind === 'update') return update === undefined ? NaN : updating(update);
  nsPerPick(pick, kind === 'time' ? forMs / 3 : forMs); // warms up: what V8 has not optimised yet allocates more
  return kind === 'time' ? nsPerPick(pick, forMs) : bytesPerPick(pick);
}

function updating(update: () => unknown): number {
  const samples: number[] = [];
  for (let i = 0; i < UPDATES; i++) {
    const start = performance.now();
    update();
    samples.push(performance.now() - start);
  }
  return median(samples);
}
