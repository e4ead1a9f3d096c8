import { type Client, createClient } from '../../src/client.js';
import type { ClientOptions } from '../../src/options.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { type MemoryAdapter, memoryAdapter } from '../../src/testing/memory-adapter.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type {
  DiscoveryAdapter,
  InstanceSpec,
  Rng,
  Snapshot,
  WatchContext,
} from '../../src/types.js';

/** Instances whose id and host are the given name: `'a'`, or `'a*3'` for weight 3. */
export function specs(...names: string[]): InstanceSpec[] {
  return names.map((name) => {
    const [id = '', weight = '1'] = name.split('*');
    return { id, host: id, port: 80, weight: Number(weight) };
  });
}

export interface Rig {
  readonly client: Client;
  readonly clock: ManualClock;
  readonly source: MemoryAdapter;
}

/** A client on a manual clock and a seeded rng, with its own memory adapter that lists `names`. */
export async function rig(
  names: readonly string[],
  options: Partial<ClientOptions> = {},
): Promise<Rig> {
  const clock = new ManualClock();
  const source = memoryAdapter(specs(...names));
  const client = createClient({
    service: 'orders',
    discovery: source,
    env: { clock, rng: seededRng(1) },
    ...options,
  });
  await settle();
  return { client, clock, source };
}

/** A client on a manual clock over an adapter of the test's own; nothing has settled yet. */
export function clientOver(
  discovery: DiscoveryAdapter,
  options: Partial<ClientOptions> = {},
): { readonly client: Client; readonly clock: ManualClock } {
  const clock = new ManualClock();
  const client = createClient({
    service: 'orders',
    discovery,
    env: { clock, rng: seededRng(1) },
    ...options,
  });
  return { client, clock };
}

/** An adapter whose nth watch runs the nth function; the last one serves all later watches. */
export function scripted(
  ...watches: ((context: WatchContext) => unknown)[]
): DiscoveryAdapter & { readonly contexts: readonly WatchContext[] } {
  const contexts: WatchContext[] = [];
  return {
    name: 'scripted',
    contexts,
    watch(_service, context) {
      contexts.push(context);
      const watch = watches[Math.min(contexts.length, watches.length) - 1];
      return watch?.(context) as AsyncIterable<Snapshot>;
    },
  };
}

/** A watch that yields these snapshots, then waits for the abort. */
export function yielding(
  ...snapshots: unknown[]
): (context: WatchContext) => AsyncIterable<unknown> {
  return async function* ({ signal }: WatchContext) {
    yield* snapshots;
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  };
}

export function listing(...names: string[]): Snapshot {
  return { kind: 'instances', instances: specs(...names) };
}

export function fixedRng(value: number): Rng {
  return { next: () => value };
}

export function idsOf(client: Client): string[] {
  return client.snapshot().instances.map(({ id }) => id);
}

/** The row of one instance in the client's live table. */
export function row(
  client: Client,
  id: string,
): ReturnType<Client['snapshot']>['instances'][number] {
  const found = client.snapshot().instances.find((instance) => instance.id === id);
  if (found === undefined) throw new Error(`no instance ${id}`);
  return found;
}
