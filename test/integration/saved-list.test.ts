import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DiscoveryStatus } from '../../src/index.js';
import { decodeSavedList, savedListPath } from '../../src/saved-list-file.js';
import { serve } from './servers.js';

const OWNER = { service: 'orders', adapter: 'registry' };
const CHILD = fileURLToPath(new URL('saved-list-process.ts', import.meta.url));

let folder: string;
let file: string;
const children = new Set<ChildProcess>();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-saved-'));
  file = savedListPath(folder, OWNER);
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  await rm(folder, { recursive: true, force: true });
});

/** Starts a process that goes on until it is killed; resolves when it is ready. */
async function started(...args: string[]): Promise<{ kill(): Promise<void> }> {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  await vi.waitFor(() => expect(output).toContain('ready'), { timeout: 20_000 });
  return {
    async kill() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      children.delete(child);
      expect(output).toBe('ready\n'); // no fault was told
    },
  };
}

interface ColdStart {
  readonly answers: readonly string[];
  readonly restoredAfterMs?: number;
  readonly status: DiscoveryStatus;
}

async function coldStart(url: string, afterMs = 1_000): Promise<ColdStart> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', CHILD, 'cold', folder, url, String(afterMs)],
    { timeout: 30_000 },
  );
  return JSON.parse(stdout) as ColdStart;
}

describe('a process that starts while its registry is dead', () => {
  it('serves calls from the list of one that was killed, and ends by itself', async () => {
    const servers = await Promise.all(
      ['a', 'b', 'c'].map((name) => serve((_request, response) => response.end(name))),
    );
    const list = servers.map(({ spec }, i) => ({ ...spec, id: `id-${i}` }));
    const registry = await serve((_request, response) => response.end(JSON.stringify(list)));
    const url = `http://127.0.0.1:${registry.port}/`;

    const first = await started('live', folder, url);
    await vi.waitFor(() => stat(file), { timeout: 10_000 });
    await first.kill();
    await registry.close();

    const { answers, restoredAfterMs, status } = await coldStart(url);
    expect(answers).toEqual(['a', 'b', 'c']);
    expect(status).toMatchObject({ state: 'stale', restored: true, size: 3, adapter: 'registry' });
    expect(status.cause).toContain('fetch failed');
    expect(await readdir(folder)).toEqual(['orders@registry.json']);
    console.log(
      `the saved list was in use ${restoredAfterMs?.toFixed(0) ?? '?'} ms after the start`,
    );

    // Cut as by a disk that was full: there is nothing to start with, and the registry is waited for.
    await truncate(file, 100);
    await expect(coldStart(url)).rejects.toThrow(/ERR_FAIRLEAD_DEADLINE_EXCEEDED|NOT_READY/);
  });

  it('uses what the registry says where that answers, though slowly', async () => {
    const server = await serve((_request, response) => response.end('new'));
    const old = await serve((_request, response) => response.end('old'));
    let list = [old.spec];
    let delayMs = 0;
    const registry = await serve((_request, response) => {
      setTimeout(() => response.end(JSON.stringify(list)), delayMs);
    });
    const url = `http://127.0.0.1:${registry.port}/`;
    const first = await started('live', folder, url);
    await vi.waitFor(() => stat(file), { timeout: 10_000 });
    await first.kill();

    list = [server.spec];
    delayMs = 200;
    const { answers, status } = await coldStart(url, 10_000);
    expect(answers).toEqual(['new']);
    expect(status).toMatchObject({ state: 'current', restored: false, size: 1 });
  });
});

it('two processes that save the same list, and are killed as they do, never leave a broken file', async () => {
  let reads = 0;
  const sizes = new Set<number>();
  const check = async (): Promise<void> => {
    const text = await readFile(file, 'utf8');
    const decoded = decodeSavedList(text, OWNER, { maxAgeMs: 86_400_000, nowMs: Date.now() });
    expect(decoded).not.toHaveProperty('unusable');
    if ('instances' in decoded) sizes.add(decoded.instances.length);
    reads++;
  };
  for (let round = 0; round < 3; round++) {
    const writers = await Promise.all([started('churn', folder), started('churn', folder)]);
    await vi.waitFor(() => stat(file), { timeout: 10_000 });
    for (let i = 0; i < 200; i++) {
      await check();
      await sleep(1);
    }
    await Promise.all(writers.map((writer) => writer.kill()));
    await check();
  }
  const leftOver = (await readdir(folder)).length - 1;
  console.log(`${reads} reads, lists of ${sizes.size} lengths; ${leftOver} of 6 killed in a write`);
  expect(sizes.size).toBeGreaterThan(10); // the file did change
});
