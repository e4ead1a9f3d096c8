/** A process with bare parked queries: nothing but `node:http`, so that what Consul itself takes can be told apart. */
import http from 'node:http';
import type { Sighting } from './latency.js';
import { monotonicMs } from './monotonic.js';
import { obey } from './obey.js';
import { rawRequest, type RawReply } from './raw-http.js';

const sightings: Sighting[] = [];
const agent = new http.Agent({ keepAlive: true });

const orders = {
  async watch({ url, query, services }: BareOrder): Promise<void> {
    await Promise.all(
      services.map(async (service) => {
        const first = await read(url, service, query);
        void follow(url, service, query, first.index);
      }),
    );
  },
  sightings: (): readonly Sighting[] => sightings,
};
export type LatencyBareOrders = typeof orders;

export interface BareOrder {
  readonly url: string;
  /** Such as `stale=1`. */
  readonly query: string;
  readonly services: readonly string[];
}

async function follow(url: string, service: string, query: string, first: string): Promise<void> {
  let index = first;
  for (;;) {
    const reply = await read(url, service, `${query}&index=${index}&wait=60s`);
    index = reply.index;
  }
}

/** The time is taken as soon as the reply has arrived as a whole: nothing is made of it yet. */
async function read(url: string, service: string, query: string): Promise<RawReply> {
  let atMs = NaN;
  const reply = await rawRequest(`${url}/v1/health/service/${service}?${query}`, {
    agent,
    onEnd: () => {
      atMs = monotonicMs();
    },
  });
  // The next query is parked first: what is left to do is not to hold that up.
  setImmediate(() => sightings.push({ service, atMs, weights: weightsIn(reply.body) }));
  return reply;
}

interface Entry {
  readonly Node: { readonly Datacenter: string; readonly Node: string };
  readonly Service: {
    readonly ID: string;
    readonly Weights: { readonly Passing: number; readonly Warning: number };
  };
  readonly Checks: readonly { readonly Status: string }[];
}

function weightsIn(body: Buffer): Sighting['weights'] {
  const weights: Record<string, number> = {};
  for (const { Node, Service, Checks } of JSON.parse(body.toString()) as readonly Entry[]) {
    const states = Checks.map(({ Status }) => Status);
    if (states.includes('critical')) continue;
    const { Passing, Warning } = Service.Weights;
    const id = `${Node.Datacenter}/${Node.Node}/${Service.ID}`;
    weights[id] = states.includes('warning') ? Warning : Passing;
  }
  return weights;
}

obey(orders);
