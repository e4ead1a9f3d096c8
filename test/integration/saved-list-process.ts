/**
 * A process with a saved list, told what to do by its first argument:
 * `live <folder> <url>` follows the registry until it is killed, and says when it is ready;
 * `cold <folder> <url> <afterMs>` makes ten calls although the registry may be dead, tells how, and must end by itself;
 * `churn <folder>` saves lists of many lengths as fast as it can until it is killed.
 */
import { createClient, type InstanceSpec, poll, type Snapshot } from '../../src/index.js';
import { toInstance } from '../../src/discovery.js';
import { realEnv } from '../../src/env.js';
import { SavedList } from '../../src/saved-list.js';

const [mode = '', folder = '', url = '', afterMs = '1000'] = process.argv.slice(2);

const registry = poll(
  'registry',
  async (_service, { signal }): Promise<Snapshot> => {
    const response = await fetch(url, { signal });
    return { kind: 'instances', instances: (await response.json()) as InstanceSpec[] };
  },
  { intervalMs: 50 },
);

async function live(): Promise<void> {
  const client = createClient({ service: 'orders', discovery: registry, savedList: { folder } });
  await client.ready();
  console.log('ready');
  setInterval(() => undefined, 1_000);
}

async function cold(): Promise<void> {
  const startMs = performance.now();
  const client = createClient({
    service: 'orders',
    discovery: registry,
    savedList: { folder, afterMs: Number(afterMs) },
    policy: 'round-robin',
    timeoutMs: 5_000,
  });
  let restoredAfterMs: number | undefined;
  client.on('instances.restored', () => (restoredAfterMs = performance.now() - startMs));
  const answers = new Set<string>();
  for (let i = 0; i < 10; i++) {
    answers.add(
      await client.call(async ({ instance }) => (await fetch(instance.url)).text(), {
        idempotent: true,
      }),
    );
  }
  const status = client.discoveryStatus();
  console.log(JSON.stringify({ answers: [...answers].sort(), restoredAfterMs, status }));
}

async function churn(): Promise<void> {
  const options = { folder, maxAgeMs: 86_400_000, afterMs: 0 };
  console.log('ready');
  for (let size = 1; ; size = (size * 7) % 997) {
    const instances = Array.from({ length: size }, (_, i) =>
      toInstance({ host: `host-${i}.example`, port: 80 }, 'x'),
    );
    const saved = new SavedList(
      { service: 'orders', adapter: 'registry' },
      options,
      realEnv(),
      ({ message }) => console.log(message),
    );
    saved.save(new Map(instances.map((instance) => [instance.id, instance])));
    await saved.close();
  }
}

const MODES: Readonly<Record<string, () => Promise<void>>> = { live, cold, churn };
await MODES[mode]?.();
