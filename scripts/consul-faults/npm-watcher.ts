import { inspect } from 'node:util';
import Consul from 'consul';
import { letterOf } from './instances.js';
import { ListRecord } from './list-record.js';
import type { Saying, Watcher } from './watcher.js';

/** Options of the npm client's `health.service`. */
export type NpmOptions = Readonly<Record<string, string>>;

interface NpmEntry {
  readonly Service: { readonly ID: string };
}

/** `watch()` as its README shows it, with its defaults, and with a listener for its errors. */
export function watchWithNpmClient(service: string, url: string, options: NpmOptions): Watcher {
  const { hostname, port } = new URL(url);
  const client = new Consul({ host: hostname, port: Number(port) });
  const watch = client.watch({
    method: client.health.service.bind(client.health),
    options: { service, passing: 'true', ...options },
  });
  const record = new ListRecord();
  const said: Saying[] = [];
  const output: unknown[] = [];
  const say = (text: string): void => {
    said.push({ atMs: performance.now(), kind: 'error', text });
  };

  record.note(undefined);
  watch.on('change', (data: unknown) => {
    if (Array.isArray(data)) {
      record.note((data as readonly NpmEntry[]).map(({ Service }) => letterOf(Service.ID)));
    } else {
      // What an application makes of this is its own affair; a list of instances it is not.
      say(`a change that is no list: ${inspect(data).slice(0, 60)}`);
      record.note([]);
    }
  });
  watch.on('error', (error: Error) => {
    output.push(error);
    say(error.message);
  });
  let closing = false;
  watch.on('end', () => {
    if (!closing) say('the watch ended');
  });
  return {
    record,
    said,
    output: () => inspect(output, { depth: 12, maxArrayLength: null, maxStringLength: null }),
    get isAlive() {
      return watch.isRunning();
    },
    close() {
      closing = true;
      watch.end();
      client.destroy();
      return Promise.resolve();
    },
  };
}
