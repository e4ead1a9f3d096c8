/**
 * Leads, and has nothing else to do: it must live for as long as it waits for something of the election, then end by
 * itself, or close in good order though nothing else holds it.
 */
import { electLeader } from '../../adapters/consul/election.js';

const [url = '', key = '', end] = process.argv.slice(2);
const election = electLeader({ url, key, sessionTtlMs: 10_000 });
const { fencingToken } = await election.whenLeader();
console.log(`led with ${fencingToken > 0 ? 'a token' : 'none'}`);
if (end === 'close') {
  await election.close();
  const sockets = process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP'));
  console.log(`closed, ${sockets.length} sockets left`);
} else if (end === 'lead') {
  setTimeout(() => void election.close(), 2_000).unref();
  await election.lead(() => undefined);
  console.log('led until closed');
}
process.once('exit', (code) => {
  console.log(`ended by itself with ${code}`);
});
