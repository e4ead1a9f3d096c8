/**
 * A process that measures one subject, when told to, over IPC: `tsx worker.ts updates 10000`, `growth <instances>` or
 * `peer <library> <name>`.
 */
import { type Cost, Updates } from './fairlead.js';
import { growing, timed, type Way } from './growth.js';
import { cost, PEERS, prepared } from './peers.js';

/** What is to be measured: a change, the number of changes, or a way. */
export type Order = string | number;
export type Answer = { readonly value: Cost | number | undefined } | { readonly error: string };

const SIZE = 10_000;
const TIMES: Readonly<Record<Way, number>> = {
  call: 5_000,
  'call, by hand': 5_000,
  'pick and end': 20_000,
  'pick and end, by hand': 20_000,
};

const [kind = '', first = '', second = ''] = process.argv.slice(2);
const obey = await worker();

process.on('message', (order: Order) => {
  obey(order).then(answer, (error: unknown) => process.send?.({ error: String(error) }));
});
process.once('disconnect', () => process.exit());
answer(undefined);

function answer(value: Cost | number | undefined): void {
  process.send?.({ value } satisfies Answer);
}

async function worker(): Promise<(order: Order) => Promise<Cost | number>> {
  if (kind === 'updates') {
    const updates = new Updates(SIZE);
    await updates.ready();
    return (order) => updates.cost(String(order));
  }
  if (kind === 'growth') {
    const all = await growing(Number(first));
    return (order) => timed(all, order as Way, TIMES[order as Way]);
  }
  const peer = PEERS.find(({ library, name }) => library === first && name === second);
  if (peer === undefined) throw new Error(`no peer ${first} ${second}`);
  const made = await prepared(peer, SIZE);
  return (order) => Promise.resolve(cost(made, Number(order)));
}
