import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from 'fairlead';
import { type MemoryAdapter, memoryAdapter } from 'fairlead/testing';
import { CHANGES, type Change, list } from './lists.js';

/** What one new list has cost. */
export interface Cost {
  /** The event loop, from the list's arrival until all is done that is done at once, in ms. */
  readonly updateMs: number;
  /** The pick after it, which has the picker rebuilt, and its end, in ms. */
  readonly pickMs: number;
  readonly rebuilds: number;
}

/** As many as make most of the instances called, and the code warm. */
const PICKS_BETWEEN = 20_000;

/** Hands lists to a client of all defaults, and measures what each takes. */
export class Updates {
  readonly #source: MemoryAdapter;
  readonly #client: Client;
  #round = 0;

  constructor(private readonly n: number) {
    this.#source = memoryAdapter(list(n));
    this.#client = createClient({ service: 'bench', discovery: this.#source });
  }

  async ready(): Promise<void> {
    await this.#client.ready();
    await this.#work();
  }

  async cost(name: string): Promise<Cost> {
    const change = CHANGES.find((each) => each.name === name);
    if (change === undefined) throw new Error(`no change "${name}"`);
    await this.#reset();
    const cost = await this.#take(change);
    await this.#work();
    return cost;
  }

  async #take(change: Change): Promise<Cost> {
    const specs = change.next(this.n, this.#round++);
    await collected();
    const before = this.#client.snapshot().rebuilds;
    const start = performance.now();
    this.#source.set(specs);
    await setImmediate();
    const updated = performance.now();
    this.#client.pick().end('success');
    const picked = performance.now();
    return {
      updateMs: updated - start,
      pickMs: picked - updated,
      rebuilds: this.#client.snapshot().rebuilds - before,
    };
  }

  /** Back to the list that all changes start from. */
  async #reset(): Promise<void> {
    this.#source.set(list(this.n));
    await setImmediate();
    await this.#work();
  }

  async #work(): Promise<void> {
    for (let i = 0; i < PICKS_BETWEEN; i++) this.#client.pick().end('success');
    await sleep(1);
  }
}

/** The list that the bench has made is none of the client's doing: what is dead of it goes, what is left grows old. */
async function collected(): Promise<void> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('run with --expose-gc');
  gc({ type: 'minor' });
  gc({ type: 'minor' });
  await sleep(5);
}
