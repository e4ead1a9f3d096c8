/** Watches through Consul until a query is parked, then has nothing left to do: it must end by itself. */
import { consul } from '../../adapters/consul.js';
import { realEnv } from '../../src/env.js';
import { watchWith } from '../adapters/watched.js';

const [url = '', holdMs = '300'] = process.argv.slice(2);
const watched = watchWith(consul({ url }), { clock: realEnv().clock });

// Holds the process until the third read, which is never answered, has been sent on the reused socket, and a little
// longer: long enough for a probe, if told so.
const hold = setInterval(() => {
  if (watched.snapshots.length < 2) return;
  clearInterval(hold);
  setTimeout(() => undefined, Number(holdMs));
}, 10);

process.once('exit', () => {
  console.log(`${watched.snapshots.length} snapshots, ended by itself`);
});
