import { inspect } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, type ClientOptions, createClient } from '../../src/index.js';
import type { DiscoveryStatus } from '../../src/discovery-status.js';
import type { EventName, FairleadEvents } from '../../src/events.js';

/** A client whose every word about its source is written down. */
export interface ObservedClient extends AsyncDisposable {
  readonly client: Client;
  readonly faults: readonly FairleadEvents['discovery.fault'][];
  /** Names of the events so far, in order, but for those of calls. */
  readonly events: readonly EventName[];
  /** Ports of the instances that are listed now, in order. */
  ports(): number[];
  status(): DiscoveryStatus;
  /** Fewest instances known at any time since there were some; Infinity before. */
  readonly fewest: number;
  /** Waits until it holds, at most 15 s; the error says how things stand then. */
  until(what: string, holds: () => boolean): Promise<void>;
  /** All that was ever said, to be searched: events, faults with their causes, statuses, snapshots, the errors of calls. */
  said(): string;
  /** Closes the client; nothing it says while doing so is missed. */
  close(): Promise<void>;
}

const NAMES: readonly EventName[] = [
  'instances.changed',
  'instances.held',
  'instances.restored',
  'discovery.fault',
  'discovery.stale',
  'discovery.refused',
  'discovery.recovered',
];

const PATIENCE_MS = 15_000;
const LOOK_EVERY_MS = 10;

export function observe(options: ClientOptions): ObservedClient {
  const client = createClient({ breaker: false, ...options });
  const words: string[] = [];
  const faults: FairleadEvents['discovery.fault'][] = [];
  const events: EventName[] = [];
  let fewest = Infinity;
  const note = (what: string, given: unknown): void => {
    const text = `${what}: ${everythingOf(given)}`;
    if (words.at(-1) !== text) words.push(text);
  };
  for (const name of NAMES) {
    client.on(name, (event) => {
      note(name, event);
      events.push(name);
    });
  }
  client.on('discovery.fault', (fault) => faults.push(fault));
  client.on('instances.changed', ({ size }) => (fewest = Math.min(fewest, size)));

  const observed: ObservedClient = {
    client,
    faults,
    events,
    ports: () =>
      client
        .snapshot()
        .instances.filter(({ membership }) => membership === 'listed')
        .map(({ url }) => Number(new URL(url).port))
        .sort((a, b) => a - b),
    status: () => client.discoveryStatus(),
    get fewest() {
      return fewest;
    },
    async until(what, holds) {
      const endMs = performance.now() + PATIENCE_MS;
      while (!holds()) {
        note('status', client.discoveryStatus());
        if (performance.now() > endMs) {
          const now = { ports: observed.ports(), status: client.discoveryStatus() };
          const told = faults.map(({ message, effect }) => `${effect ?? 'none'}: ${message}`);
          throw new Error(`not within 15 s: ${what}\n${inspect({ ...now, told, events })}`);
        }
        await sleep(LOOK_EVERY_MS);
      }
      note('status', client.discoveryStatus());
    },
    said: () => words.join('\n'),
    async close() {
      note('status', client.discoveryStatus());
      note('snapshot', client.snapshot());
      note('explanation', client.explain());
      await client
        .call(() => 'sent', { timeoutMs: 100 })
        .catch((error: unknown) => {
          note('error of a call', error);
        });
      await client.close();
      note('status', client.discoveryStatus());
    },
    [Symbol.asyncDispose]: () => observed.close(),
  };
  return observed;
}

/** With what a mere `String()` hides: causes, stacks, properties that are not enumerable, buffers as text. */
function everythingOf(given: unknown): string {
  const shown = inspect(given, {
    depth: Infinity,
    showHidden: true,
    maxArrayLength: Infinity,
    maxStringLength: Infinity,
    breakLength: Infinity,
  });
  const asJson = JSON.stringify(given, (_key, value: unknown) =>
    value instanceof Error ? { ...value, message: value.message, cause: value.cause } : value,
  );
  return `${shown} ${asJson}`;
}
