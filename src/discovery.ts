import { isIPv4, isIPv6 } from 'node:net';
import { FairleadError, InvalidInstanceError, show } from './errors.js';
import { KnownInstances, sayTheSame } from './same-instance.js';
import type {
  DiscoveryAdapter,
  DiscoveryFault,
  Instance,
  Locality,
  Snapshot,
  SnapshotCaveats,
  WatchContext,
} from './types.js';
import { checkFunction, checkKeys, checkMs, checkString, isObject } from './validate.js';

/** What {@link toInstance} made: frozen through and through, so that it need not be looked at again. */
const checked = new WeakSet();

/**
 * Validates one emitted instance and fills in the defaults. One that it made itself is taken as it is: an adapter may
 * have it check a long list a few at a time.
 *
 * @param path where it stands, for the error: `instances[3]`.
 * @throws {InvalidInstanceError} naming the field, its range and the value.
 */
export function toInstance(spec: unknown, path: string): Instance {
  const instance = checkInstance(spec, path);
  checked.add(instance);
  return instance;
}

/** The same, of which no notice is taken: the note would be a quarter of what the instance takes. */
function checkInstance(spec: unknown, path: string): Instance {
  if (!isObject(spec)) throw new InvalidInstanceError(path, 'an object with host and port', spec);
  if (checked.has(spec)) return spec as unknown as Instance;
  const at = (field: string): string => `${path}.${field}`;

  const host = readString(at('host'), spec['host']);
  const isAddress6 = host.includes(':');
  if (isAddress6 ? !isUrlIPv6(host) : !isHostName(host)) {
    throw new InvalidInstanceError(
      at('host'),
      'a host name, or an IP address without brackets and port',
      host,
    );
  }
  const port = spec['port'];
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidInstanceError(at('port'), 'an integer from 1 to 65535', port);
  }
  const weight = spec['weight'] ?? 1;
  if (typeof weight !== 'number' || !Number.isFinite(weight) || weight < 0) {
    throw new InvalidInstanceError(at('weight'), 'a finite number >= 0', weight);
  }
  const priority = spec['priority'] ?? 0;
  if (typeof priority !== 'number' || !Number.isSafeInteger(priority) || priority < 0) {
    throw new InvalidInstanceError(at('priority'), 'an integer >= 0', priority);
  }
  const protocol = readString(at('protocol'), spec['protocol'] ?? 'http');
  if (!/^[a-z][a-z0-9+.-]*$/i.test(protocol)) {
    throw new InvalidInstanceError(at('protocol'), 'a URL scheme such as "http"', protocol);
  }
  // Joined, each is one string; a template would keep its pieces, too.
  const authority = [isAddress6 ? `[${host}]` : host, port].join(':');
  return Object.freeze({
    id: readString(at('id'), spec['id'] ?? authority),
    host,
    port,
    protocol,
    weight,
    priority,
    locality: readLocality(at('locality'), spec['locality']),
    tags: readTags(at('tags'), spec['tags']),
    metadata: readMetadata(at('metadata'), spec['metadata']),
    url: [protocol, authority].join('://'),
  });
}

/** URLs know no zone (`fe80::1%eth0`). */
function isUrlIPv6(host: string): boolean {
  return isIPv6(host) && !host.includes('%');
}

/** What a URL can hold between `//` and a port. */
function isHostName(host: string): boolean {
  return isIPv4(host) || (!/[\s/\\@?#[\]]/.test(host) && URL.canParse(`http://${host}`));
}

function readString(field: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new InvalidInstanceError(field, 'a non-empty string', value);
}

const NOWHERE: Locality = Object.freeze({});
const NO_TAGS: readonly string[] = Object.freeze([]);
const NO_METADATA: Readonly<Record<string, string>> = Object.freeze({});

function readLocality(field: string, value: unknown): Locality {
  if (value === undefined) return NOWHERE;
  if (!isObject(value)) throw new InvalidInstanceError(field, 'an object', value);
  const locality: { region?: string; zone?: string } = {};
  for (const key of ['region', 'zone'] as const) {
    if (value[key] !== undefined) locality[key] = readString(`${field}.${key}`, value[key]);
  }
  return Object.freeze(locality);
}

function readTags(field: string, value: unknown): readonly string[] {
  if (value === undefined) return NO_TAGS;
  if (!Array.isArray(value) || !value.every((tag) => typeof tag === 'string')) {
    throw new InvalidInstanceError(field, 'an array of strings', value);
  }
  return Object.freeze([...value]);
}

function readMetadata(field: string, value: unknown): Readonly<Record<string, string>> {
  if (value === undefined) return NO_METADATA;
  if (!isObject(value)) throw new InvalidInstanceError(field, 'an object of strings', value);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw new InvalidInstanceError(`${field}.${key}`, 'a string', text);
    }
  }
  return Object.freeze({ ...(value as Record<string, string>) });
}

const NOTHING_KNOWN: ReadonlyMap<string, Instance> = new Map();

/**
 * Reads one emitted snapshot tolerantly: a bad or repeated entry is reported and dropped, never the list.
 *
 * @param known what was read before: an entry that says the same again is the same instance, and costs next to nothing.
 * @returns the instances by id, in emitted order, or `'not-found'`; `known` itself where all say the same again.
 * @throws {FairleadError} `ERR_FAIRLEAD_DISCOVERY` when it is no snapshot at all, or no entry of it is usable.
 */
export function readSnapshot(
  snapshot: unknown,
  report: (fault: DiscoveryFault) => void,
  known: ReadonlyMap<string, Instance> = NOTHING_KNOWN,
): ReadonlyMap<string, Instance> | 'not-found' {
  if (isObject(snapshot) && snapshot['kind'] === 'not-found') return 'not-found';
  if (
    !isObject(snapshot) ||
    snapshot['kind'] !== 'instances' ||
    !Array.isArray(snapshot['instances'])
  ) {
    throw new FairleadError(
      'ERR_FAIRLEAD_DISCOVERY',
      `A snapshot must be { kind: "instances", instances: [...] } or { kind: "not-found" }; got ${describe(snapshot)}.`,
    );
  }
  const specs: readonly unknown[] = snapshot['instances'];
  if (sayTheSame(specs, known)) return known;
  const before = new KnownInstances(known);
  const instances = new Map<string, Instance>();
  let firstBad: unknown;
  specs.forEach((spec, index) => {
    try {
      const instance = before.find(spec) ?? checkInstance(spec, `instances[${String(index)}]`);
      if (instances.has(instance.id)) {
        throw new InvalidInstanceError(
          `instances[${String(index)}].id`,
          'unique in its snapshot',
          instance.id,
        );
      }
      instances.set(instance.id, instance);
    } catch (error) {
      if (!(error instanceof InvalidInstanceError)) throw error;
      firstBad ??= error;
      report({ message: error.message, field: error.field, value: error.value, cause: error });
    }
  });
  if (specs.length > 0 && instances.size === 0) {
    throw new FairleadError(
      'ERR_FAIRLEAD_DISCOVERY',
      `None of the ${String(specs.length)} instances of the snapshot is usable.`,
      { cause: firstBad },
    );
  }
  return instances;
}

/** What a snapshot says against itself. Where it does so in no words, it counts all the same. */
export function readCaveats(snapshot: unknown): SnapshotCaveats {
  if (!isObject(snapshot)) return {};
  return { stale: readCaveat(snapshot['stale']), incomplete: readCaveat(snapshot['incomplete']) };
}

/** A reason in words; `undefined` where there is none. */
export function readCaveat(value: unknown): string | undefined {
  if (value === undefined || value === null || value === false || value === '') return undefined;
  return typeof value === 'string' ? value : 'the source does not say why';
}

function describe(snapshot: unknown): string {
  return isObject(snapshot) && 'kind' in snapshot
    ? `an object of kind ${show(snapshot['kind'])}`
    : show(snapshot);
}

export interface PollOptions {
  /** Pause between reads, in ms. Default 10,000. */
  readonly intervalMs?: number | undefined;
  /** Time for one read, in ms; one that takes longer counts as failed. Default 10,000. */
  readonly timeoutMs?: number | undefined;
}

/**
 * An adapter from a function that fetches the whole list once. It is asked again `intervalMs` after each
 * answer, or at once when the client wants fresh data. A rejection means "broken for now". Its `signal` aborts
 * at the time limit and at the end of the watch.
 */
export function poll(
  name: string,
  fetchOnce: (service: string, context: { readonly signal: AbortSignal }) => Promise<Snapshot>,
  options: PollOptions = {},
): DiscoveryAdapter {
  checkString('name', name);
  checkFunction('fetchOnce', fetchOnce);
  checkKeys('', options, ['intervalMs', 'timeoutMs']);
  const intervalMs = checkMs('intervalMs', options.intervalMs ?? 10_000);
  const timeoutMs = checkMs('timeoutMs', options.timeoutMs ?? 10_000);
  return {
    name,
    async *watch(service, context) {
      for (;;) {
        yield await within(timeoutMs, context, (signal) => fetchOnce(service, { signal }));
        await context.sleep(intervalMs);
      }
    },
  };
}

/** Runs `read` with a signal of its own; rejects when it takes longer than `ms` or the watch ends. */
function within<T>(
  ms: number,
  { clock, signal }: Pick<WatchContext, 'clock' | 'signal'>,
  read: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const controller = new AbortController();
    const giveUp = (error: Error): void => {
      finish();
      reject(error);
      controller.abort(error);
    };
    const onAbort = (): void => {
      giveUp(signal.reason as Error);
    };
    const timer = clock.setTimer(ms, () => {
      giveUp(new FairleadError('ERR_FAIRLEAD_DISCOVERY', `No answer within ${String(ms)} ms.`));
    });
    const finish = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    new Promise<T>((settle) => {
      settle(read(controller.signal));
    })
      .finally(finish)
      .then(resolve, reject);
  });
}

/**
 * An adapter from a source that calls back. `subscribe` starts listening and returns how to stop; it hands
 * each full snapshot to `emit` and a breakdown to `fail`. Snapshots that arrive faster than they are read
 * replace each other: only the newest counts.
 */
export function fromEmitter(
  name: string,
  subscribe: (
    service: string,
    sink: { emit(snapshot: Snapshot): void; fail(error: unknown): void },
  ) => () => void,
): DiscoveryAdapter {
  checkString('name', name);
  checkFunction('subscribe', subscribe);
  return {
    name,
    async *watch(service, { signal }) {
      let newest: { readonly snapshot: Snapshot } | undefined;
      let failure: { readonly error: unknown } | undefined;
      let wake: () => void = () => undefined;
      const stop = subscribe(service, {
        emit: (snapshot) => {
          newest = { snapshot };
          wake();
        },
        fail: (error) => {
          failure = { error };
          wake();
        },
      });
      checkFunction('subscribe()', stop);
      const onAbort = (): void => {
        wake();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        while (!signal.aborted) {
          if (failure !== undefined) throw failure.error;
          if (newest !== undefined) {
            const { snapshot } = newest;
            newest = undefined;
            yield snapshot;
            continue;
          }
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        signal.removeEventListener('abort', onAbort);
        stop();
      }
    },
  };
}
