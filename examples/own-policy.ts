/** A load and a policy of your own, ten lines each, and the suite that shows whether a policy keeps its promises. */
import { bestOf, createClient, type Load, type Policy } from 'fairlead';
import { policySuite } from 'fairlead/testing';
import { staticList } from 'fairlead/static';

const discovery = staticList([
  { id: 'near', host: '10.0.0.1', port: 80, metadata: { rttMs: '1' } },
  { id: 'far', host: '10.9.0.1', port: 80, metadata: { rttMs: '40' } },
]);

// A load is the cost of an instance, less is better. This one adds the way there to the wait for the calls in flight.
const nearAndIdle: Load = {
  name: 'nearAndIdle',
  of({ instance, pending, capacity }) {
    const rttMs = Number(instance.metadata['rttMs'] ?? 10);
    return rttMs + (10 * pending) / capacity; // weight, less of it while the instance warms up
  },
};

const orders = createClient({
  service: 'orders',
  discovery,
  policy: bestOf({ choices: 3, load: nearAndIdle }), // any load goes with any choice
});
await orders.ready();
const leases = Array.from({ length: 8 }, () => orders.pick());
console.log('load:', leases.map(({ instance }) => instance.id).join(' '));
for (const lease of leases) lease.end('success');

// A policy chooses. `build` runs when the list changes, `pick` for each call; `excluded` are those already tried.
const anyone: Policy = {
  name: 'anyone',
  build: (candidates, { rng }) => ({
    pick({ excluded }) {
      const left = candidates.filter(({ instance }) => !excluded.has(instance.id));
      return left[Math.floor(rng.next() * left.length)];
    },
  }),
};

const users = createClient({ service: 'users', discovery, policy: anyone });
await users.ready();
const first = users.pick();
const second = users.pick({ excluded: [first.instance.id] });
console.log('policy:', first.instance.id, 'then', second.instance.id);
first.end('success');
second.end('success');

await Promise.all([orders.close(), users.close()]);

// What every policy owes, in a test runner: `for (const { name, run } of suite) test(name, run);`
const reason = 'all are as likely, whatever their weights';
const suite = policySuite(() => anyone, {
  deviations: {
    weights: reason,
    'weights-in-flight': reason,
    'weights-through-rebuilds': reason,
    'many-weights': reason,
    'extreme-shares': reason,
  },
});
for (const { run } of suite) await run();
console.log(`suite: ${String(suite.length)} cases hold`);
