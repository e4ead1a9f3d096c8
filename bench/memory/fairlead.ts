import { type Client, type ClientOptions, createClient, roundRobin } from 'fairlead';
import { memoryAdapter } from 'fairlead/testing';
import { fails, type InstanceAddress, type Prepared, type Subject } from './subject.js';

const VARIANTS: Readonly<Record<string, Partial<ClientOptions>>> = {
  'fairlead, defaults': {},
  'fairlead, outlier detection off': { outlierDetection: false },
  'fairlead, breakers off': { breaker: false },
};

export const fairlead: readonly Subject[] = Object.entries(VARIANTS).map(([name, options]) => ({
  name,
  prepare: (input) => prepare(input, options),
}));

async function prepare(
  input: readonly InstanceAddress[],
  options: Partial<ClientOptions>,
): Promise<Prepared> {
  const client = await clientOver(input, options);
  return {
    callEach() {
      for (const { port } of input) {
        const lease = client.pick();
        if (lease.instance.port !== port) throw new Error('picked what is not listed');
        lease.end('success');
      }
    },
    traffic(times) {
      for (let i = 0; i < times; i++) client.pick().end(fails(i) ? 'failure' : 'success');
    },
    close: () => client.close(),
  };
}

/** A client that takes turns, so that as many picks as there are instances call each once. */
export async function clientOver(
  input: readonly InstanceAddress[],
  options: Partial<ClientOptions>,
): Promise<Client> {
  const client = createClient({
    service: 'bench',
    discovery: memoryAdapter(input),
    policy: roundRobin(),
    ...options,
  });
  await client.ready();
  client.explain(); // has the picker built
  return client;
}
