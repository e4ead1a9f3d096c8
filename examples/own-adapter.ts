/** A discovery adapter of your own: `poll` for a source you ask, `fromEmitter` for one that calls you. */
import { EventEmitter } from 'node:events';
import { createClient, fromEmitter, type InstanceSpec, poll } from 'fairlead';

// A source that is asked. Throwing means "broken for now": the last good list stays, and it is asked again.
const catalogue = new Map<string, InstanceSpec[]>([['orders', [{ host: '10.0.0.1', port: 80 }]]]);
const asked = poll(
  'catalogue',
  (service) => {
    const instances = catalogue.get(service);
    return Promise.resolve(
      instances === undefined ? { kind: 'not-found' } : { kind: 'instances', instances },
    );
  },
  { intervalMs: 5_000 },
);

// A source that calls. Each snapshot is the full list.
const registry = new EventEmitter<{ list: [InstanceSpec[]] }>();
const told = fromEmitter('registry', (_service, sink) => {
  const onList = (instances: InstanceSpec[]): void => {
    sink.emit({ kind: 'instances', instances });
  };
  registry.on('list', onList);
  return () => registry.off('list', onList);
});

const orders = createClient({ service: 'orders', discovery: asked });
await orders.ready();
console.log(await orders.call(({ instance }) => `orders is at ${instance.url}`));

const users = createClient({ service: 'users', discovery: told });
setImmediate(() => registry.emit('list', [{ host: '10.0.0.2', port: 80, weight: 2 }]));
await users.ready();
console.log(await users.call(({ instance }) => `users is at ${instance.url}`));

await Promise.all([orders.close(), users.close()]);
