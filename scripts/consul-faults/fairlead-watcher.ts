import { inspect } from 'node:util';
import { consul, type ConsulOptions } from '../../adapters/consul.js';
import type { DiscoveryStatus } from '../../src/discovery-status.js';
import { type Client, createClient } from '../../src/index.js';
import { letterOf } from './instances.js';
import { ListRecord } from './list-record.js';
import type { Saying, Watcher } from './watcher.js';

const SAMPLE_MS = 50;
const EVENTS = [
  'instances.changed',
  'instances.held',
  'instances.restored',
  'discovery.fault',
  'discovery.stale',
  'discovery.refused',
  'discovery.recovered',
] as const;

/** A client with its defaults, asked every 50 ms, and at every change, for what a caller would be given. */
export function watchWithFairlead(service: string, options: ConsulOptions): Watcher {
  const client = createClient({ service, discovery: consul(options) });
  const record = new ListRecord();
  const said: Saying[] = [];
  const output: unknown[] = [];
  const say = (kind: Saying['kind'], text: string): void => {
    said.push({ atMs: performance.now(), kind, text });
  };

  let shownStatus = '';
  const sample = (): void => {
    const snapshot = client.snapshot();
    record.note(givenNow(client, snapshot.status !== 'waiting'));
    const status = client.discoveryStatus();
    const text = describe(status);
    if (text === shownStatus) return;
    shownStatus = text;
    say('status', text);
    output.push(snapshot, status);
  };
  for (const name of EVENTS) {
    client.on(name, (event) => {
      output.push(name, event);
      if ('message' in event) say('event', event.message);
      else if ('reason' in event) say('event', event.reason);
      sample();
    });
  }
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    record,
    said,
    output: () => inspect(output, { depth: 12, maxArrayLength: null, maxStringLength: null }),
    isAlive: true,
    async close() {
      clearInterval(timer);
      await client.close();
    },
  };
}

/** The candidates; none when a pick finds none, whatever the table says. */
function givenNow(client: Client, isKnown: boolean): readonly string[] | undefined {
  if (!isKnown) return undefined;
  try {
    client.pick().end('ignored');
  } catch {
    return [];
  }
  return client
    .snapshot()
    .instances.filter(({ membership }) => membership === 'listed')
    .map(({ id }) => letterOf(id));
}

function describe({ state, cause, heldFor, lastFault }: DiscoveryStatus): string {
  const held = heldFor && `held: ${heldFor}`;
  const borne = (cause ?? held) === undefined && lastFault ? `last fault: ${lastFault}` : undefined;
  return [state, cause, held, borne].filter((part) => part !== undefined).join(': ');
}
