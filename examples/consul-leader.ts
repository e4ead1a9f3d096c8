/**
 * Active-passive: of two workers one works, and when it leaves the other takes over. Each write carries the leader's
 * fencing token, so that one that was sent before, and arrives late, is refused. Needs a Consul agent; the address is taken
 * from CONSUL_HTTP_ADDR, as by Consul's own tools.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { electLeader, type Election } from 'fairlead/consul';

const url = process.env['CONSUL_HTTP_ADDR'] ?? 'http://127.0.0.1:8500';

/** Stands for a database: it remembers the highest token that it has seen, and refuses lower ones. */
const store = { highest: 0, writers: [] as string[] };
function write(token: number, writer: string): boolean {
  if (token < store.highest) return false;
  store.highest = token;
  store.writers.push(writer);
  return true;
}

const first = start('worker-1');
const { fencingToken: oldToken } = await first.whenLeader();
const second = start('worker-2');
await until(() => second.leader === 'worker-1');
console.log(second.status());
await until(() => store.writers.includes('worker-1'));

console.log('worker-1 leaves:');
const startedMs = performance.now();
await first.close();
const { fencingToken } = await second.whenLeader();
console.log(`worker-2 leads after ${(performance.now() - startedMs).toFixed(0)} ms`);
assert.ok(fencingToken > oldToken);
await until(() => store.writers.includes('worker-2'));

assert.equal(write(oldToken, 'worker-1, late'), false);
console.log('a late write of worker-1 is refused');

await second.close();

function start(name: string): Election {
  const election = electLeader({ url, key: 'service/reports/leader', value: name });
  election.on('elected', (event) =>
    console.log(`  ${name} is elected, token ${event.fencingToken}`),
  );
  election.on('lost', ({ reason }) => console.log(`  ${name} steps down: ${reason}`));
  election.on('fault', ({ message }) => console.warn(message));
  // Keeps the process alive until the election is closed.
  void election.lead(async ({ signal, fencingToken: token }) => {
    while (!signal.aborted) {
      if (!write(token, name)) break; // somebody else leads, and we have not heard of it yet
      await sleep(20);
    }
  });
  return election;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}
