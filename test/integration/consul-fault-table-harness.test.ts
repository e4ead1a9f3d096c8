/** What measures the fault table must itself see what it is there to see. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countLeftovers } from '../../scripts/consul-faults/leftovers.js';
import { ListRecord } from '../../scripts/consul-faults/list-record.js';
import { requestBound } from '../../scripts/consul-faults/request-bound.js';
import { writeBetweenMarkers } from '../../scripts/consul-faults/write-between-markers.js';
import { serve } from './servers.js';

describe('the record of a list', () => {
  const record = new ListRecord();
  record.note(undefined, 0);
  record.note(['a', 'b'], 100);
  record.note(['b', 'a'], 150);
  record.note([], 200);
  record.note(['a'], 250);
  record.note(['a', 'b'], 300);

  it('tells for how long it was empty, and for how long it lacked one', () => {
    const isEmpty = (ids: readonly string[]): boolean => ids.length === 0;
    expect(record.durationMs(0, 1_000, isEmpty)).toBe(50);
    expect(record.durationMs(220, 1_000, isEmpty)).toBe(30);
    expect(record.durationMs(0, 1_000, (ids) => !ids.includes('b'))).toBe(100);
    expect(record.durationMs(0, 1_000, (ids) => ids.includes('b'))).toBe(100 + 700);
  });

  it('tells since when it is right for good', () => {
    expect(record.sinceMs(['b', 'a'])).toBe(300);
    expect(record.sinceMs(['a'])).toBeUndefined();
  });
});

describe('what is left over', () => {
  it('is told by who opened it', async () => {
    const server = await serve((_request, response) => response.end());
    const [first, second] = [countLeftovers(), countLeftovers()];
    const open = (): { close(): void } => {
      const timer = setTimeout(() => undefined, 60_000).unref();
      const socket = connect(server.port, '127.0.0.1');
      return {
        close: () => {
          clearTimeout(timer);
          socket.destroy();
        },
      };
    };
    const one = first.within(() => Promise.resolve().then(open));
    const two = second.within(open);
    await expect.poll(() => [first.sockets, first.timers]).toEqual([1, 1]);
    expect([second.sockets, second.timers]).toEqual([1, 1]);
    (await one).close();
    await expect.poll(() => [first.sockets, first.timers]).toEqual([0, 0]);
    expect([second.sockets, second.timers]).toEqual([1, 1]);
    two.close();
    await expect.poll(() => [second.sockets, second.timers]).toEqual([0, 0]);
  });
});

describe('the bound on requests', () => {
  it.each([
    ['backoff', 8],
    ['leaderless', 8],
    ['budget', 5],
    ['permanent', 8],
  ] as const)('is far below what a hot loop makes (%s)', (pace, seconds) => {
    // One every 100 ms would be one.
    expect(requestBound(pace, seconds)).toBeLessThan(seconds * 10);
  });
});

describe('a table that is written into a document', () => {
  let folder: string;
  const inFolder = (name: string): URL => pathToFileURL(path.join(folder, name));

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'fairlead-table-'));
  });

  afterAll(() => rm(folder, { recursive: true }));

  it('takes the place of the one before', async () => {
    const file = inFolder('good.md');
    await writeFile(file, 'before\n<!-- t -->\nold\n<!-- /t -->\nafter\n');
    await writeBetweenMarkers(file, 't', ['| new |']);
    expect(await readFile(file, 'utf8')).toBe('before\n<!-- t -->\n| new |\n<!-- /t -->\nafter\n');
  });

  it('needs the document and both markers', async () => {
    await expect(writeBetweenMarkers(inFolder('none.md'), 't', [])).rejects.toThrow(
      /none\.md cannot be read/,
    );
    await writeFile(inFolder('bad.md'), '<!-- /t --> <!-- t -->');
    await expect(writeBetweenMarkers(inFolder('bad.md'), 't', [])).rejects.toThrow(
      'needs the markers <!-- t --> and <!-- /t -->, in this order',
    );
    expect(await readFile(inFolder('bad.md'), 'utf8')).toBe('<!-- /t --> <!-- t -->');
  });
});
