import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Client, createClient } from '../src/client.js';
import { createClientPool } from '../src/client-pool.js';
import { toInstance } from '../src/discovery.js';
import type { FairleadEvents } from '../src/events.js';
import type { ClientOptions } from '../src/options.js';
import {
  decodeSavedList,
  encodeSavedList,
  savedListPath,
  writeSavedFile,
} from '../src/saved-list-file.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { type MemoryAdapter, memoryAdapter } from '../src/testing/memory-adapter.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import type { InstanceSpec, Snapshot } from '../src/types.js';
import { expectCode } from './support/errors.js';
import { idsOf, listing, row, specs } from './support/fixtures.js';
import { thrownBy, watched } from './support/promises.js';

const OWNER = { service: 'orders', adapter: 'memory' };
const DAY_MS = 86_400_000;
/** When the tests begin by the wall clock. */
const T0 = 1_700_000_000_000;

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-saved-'));
  file = savedListPath(folder, OWNER);
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Rig {
  readonly client: Client;
  readonly clock: ManualClock;
  readonly source: MemoryAdapter;
  readonly faults: FairleadEvents['discovery.fault'][];
  /** What is told besides, in order. */
  readonly told: string[];
}

/** A client whose wall clock goes with its clock. */
function start(source: MemoryAdapter, options: Partial<ClientOptions> = {}, t0 = T0): Rig {
  const clock = new ManualClock();
  const client = createClient({
    service: 'orders',
    discovery: source,
    savedList: { folder },
    env: { clock, rng: seededRng(1), wallClock: () => t0 + clock.now() },
    ...options,
  });
  const faults: FairleadEvents['discovery.fault'][] = [];
  client.on('discovery.fault', (fault) => faults.push(fault));
  const told: string[] = [];
  for (const name of [
    'instances.restored',
    'instances.changed',
    'instances.held',
    'discovery.stale',
    'discovery.refused',
    'discovery.recovered',
  ] as const) {
    client.on(name, () => told.push(name));
  }
  return { client, clock, source, faults, told };
}

/** Waits for the disk: until the check passes. */
function soon(check: () => unknown): Promise<unknown> {
  return vi.waitFor(check, { timeout: 10_000, interval: 5 });
}

/** Waits until the list is saved, and all that follows. */
async function written(path = file): Promise<void> {
  await soon(() => stat(path));
  await idle();
}

interface Saved {
  readonly format: number;
  readonly service: string;
  readonly adapter: string;
  readonly savedAt: number;
  readonly instances: readonly InstanceSpec[];
}

async function saved(path = file): Promise<Saved> {
  return JSON.parse(await readFile(path, 'utf8')) as Saved;
}

async function savedIds(path = file): Promise<unknown[]> {
  return (await saved(path)).instances.map(({ id }) => id);
}

/** Leaves the file of an earlier run. */
function leave(content: Partial<Record<keyof Saved, unknown>> = {}): Promise<void> {
  const text = JSON.stringify({
    format: 1,
    ...OWNER,
    savedAt: T0 - 5_000,
    instances: specs('x', 'y', 'z'),
    ...content,
  });
  return writeFile(file, text);
}

/** Waits until nothing is read or written: for what shall not happen. */
async function idle(): Promise<void> {
  await settle();
  await soon(() => {
    const busy = process.getActiveResourcesInfo().filter((name) => name.startsWith('FSReq'));
    expect(busy).toEqual([]);
  });
  await settle();
}

describe('the name of the file', () => {
  it.each([
    ['orders', 'consul', 'orders@consul.json'],
    ['a.b-c_d', 'x', 'a.b-c_d@x.json'],
    ['..', '.', '..@..json'],
  ])('%j of %j is %j', (service, adapter, name) => {
    expect(basename(savedListPath('/f', { service, adapter }))).toBe(name);
  });

  it('is one that any file system takes, within the folder, and no other service has it', () => {
    const names = [
      ...['orders', 'Orders', 'ORDERS', '../orders', '/etc/passwd', 'a\\b', 'a:b', 'a*b', 'a b'],
      ...['a%2Fb', 'a/b', 'é', '\u0000', '\ud800', '\udfff', 'x@y', 'x%40y', '.', '..', '...'],
      ...['l'.repeat(80), 'l'.repeat(81), 'l'.repeat(5_000), `${'l'.repeat(5_000)}m`, '\n', '😀'],
    ];
    const paths = names.flatMap((name) => [
      savedListPath('/f', { service: name, adapter: 'x' }),
      savedListPath('/f', { service: 'x', adapter: name }),
    ]);
    for (const path of paths) {
      expect(dirname(path)).toBe('/f');
      expect(basename(path)).toMatch(/^[A-Za-z0-9._%!~'()@-]{6,220}$/);
    }
    const folded = paths.map((path) => path.toLowerCase());
    expect(new Set(folded).size).toBe(paths.length);
  });
});

describe('what is in the file', () => {
  const instance = toInstance(
    {
      host: '2001:db8::1',
      port: 443,
      id: 'dc/node/1',
      protocol: 'https',
      weight: 2.5,
      priority: 1,
      locality: { region: 'r', zone: 'z' },
      tags: ['t'],
      metadata: { k: 'v', __proto__x: 'w' },
    },
    'x',
  );

  it('is the whole list, as it can be read again', () => {
    const text = encodeSavedList(OWNER, new Map([[instance.id, instance]]), T0);
    const decoded = decodeSavedList(text, OWNER, { maxAgeMs: DAY_MS, nowMs: T0 + 1 });
    if ('unusable' in decoded) throw new Error(decoded.unusable);
    expect(decoded.savedAt).toBe(T0);
    expect(decoded.instances.map((spec) => toInstance(spec, 'x'))).toEqual([instance]);
    expect(text).toContain('"format":1');
  });

  it('is of use up to its age, and a minute from the future', () => {
    const text = encodeSavedList(OWNER, new Map([[instance.id, instance]]), T0);
    const isUsable = (nowMs: number): boolean =>
      !('unusable' in decodeSavedList(text, OWNER, { maxAgeMs: 1_000, nowMs }));
    expect([T0, T0 + 1_000, T0 - 60_000].map(isUsable)).toEqual([true, true, true]);
    expect([T0 + 1_001, T0 - 60_001, NaN].map(isUsable)).toEqual([false, false, false]);
  });
});

describe('writing', () => {
  it('happens with the first list, for this user alone, whole, and in a folder that is made', async () => {
    const deep = join(folder, 'a', 'b');
    const path = savedListPath(deep, OWNER);
    const { client } = start(memoryAdapter(specs('a*2', 'b')), { savedList: { folder: deep } });
    await written(path);
    expect(await saved(path)).toEqual({
      format: 1,
      ...OWNER,
      savedAt: T0,
      instances: [
        { ...specs('a*2')[0], protocol: 'http', priority: 0, ...NOTHING_ELSE },
        { ...specs('b')[0], protocol: 'http', priority: 0, ...NOTHING_ELSE },
      ],
    });
    if (process.platform !== 'win32') {
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect((await stat(deep)).mode & 0o777).toBe(0o700);
    }
    await client.close();
    expect(await readdir(deep)).toEqual([basename(path)]);
  });

  it('happens at most once a second, the newest list at its end', async () => {
    const { client, clock, source } = start(memoryAdapter(specs('a')));
    await written();
    for (const name of ['b', 'c', 'd']) {
      await clock.advance(200);
      source.set(specs('a', name));
    }
    await clock.advance(399);
    await idle();
    expect(await savedIds()).toEqual(['a']);
    await clock.advance(1);
    await soon(async () => expect(await savedIds()).toEqual(['a', 'd']));
    expect((await saved()).savedAt).toBe(T0 + 1_000);
    await client.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('happens for a list that is only confirmed when the file is older than a tenth of its age', async () => {
    const { client, clock, source } = start(memoryAdapter(specs('a')), {
      savedList: { folder, maxAgeMs: 1_000_000 },
    });
    await written();
    for (let i = 0; i < 9; i++) {
      await clock.advance(11_000);
      source.confirm();
      source.set(specs('a'));
      await idle();
    }
    expect((await saved()).savedAt).toBe(T0); // 99 s
    await clock.advance(1_000);
    source.confirm({ stale: 'no leader' }); // confirms nothing
    await idle();
    expect((await saved()).savedAt).toBe(T0);
    source.confirm();
    await soon(async () => expect((await saved()).savedAt).toBe(T0 + 100_000));
    await client.close();
  });

  it('of a list that is only confirmed happens once a minute at most', async () => {
    const { client, clock, source } = start(memoryAdapter(specs('a')), {
      savedList: { folder, maxAgeMs: 10_000 },
    });
    await written();
    await clock.advance(59_999);
    source.confirm();
    await idle();
    expect((await saved()).savedAt).toBe(T0);
    await clock.advance(1);
    source.confirm();
    await soon(async () => expect((await saved()).savedAt).toBe(T0 + 60_000));
    await client.close();
  });

  it('happens again when the wall clock was set back: the file is not to be from the future', async () => {
    let wallMs = T0;
    const clock = new ManualClock();
    const env = { clock, rng: seededRng(1), wallClock: () => wallMs };
    const { client, source } = start(memoryAdapter(specs('a')), { env });
    await written();
    wallMs = T0 - DAY_MS;
    await clock.advance(1_000);
    source.confirm();
    await soon(async () => expect((await saved()).savedAt).toBe(T0 - DAY_MS));
    await client.close();
  });

  it('does not make a list younger that is doubted', async () => {
    const { client, clock, source } = start(memoryAdapter(specs('a', 'b')), {
      savedList: { folder, maxAgeMs: 600_000 },
      shrinkGraceMs: 10_000_000,
    });
    await written();
    source.set([]);
    await clock.advance(100_000);
    source.confirm();
    await idle();
    expect(await saved()).toMatchObject({ savedAt: T0, instances: { length: 2 } });
    await client.close();
  });

  it.each<[string, Snapshot]>([
    ['an empty list', { kind: 'instances', instances: [] }],
    ['no such service', { kind: 'not-found' }],
  ])('takes the file away once %s is believed, not before', async (_what, gone) => {
    const { client, clock, source } = start(memoryAdapter(specs('a', 'b')), {
      shrinkGraceMs: 5_000,
    });
    await written();
    source.emit(gone);
    await clock.advance(4_999);
    await idle();
    expect(await savedIds()).toEqual(['a', 'b']);
    await clock.advance(1);
    await soon(async () => expect(await readdir(folder)).toEqual([]));
    expect(client.snapshot().instances).toEqual([]);
    await client.close();
  });

  it('takes the file of an earlier run away where the source knows of nobody at first', async () => {
    await leave();
    const { client } = start(memoryAdapter([]));
    await soon(async () => expect(await readdir(folder)).toEqual([]));
    await client.close();
  });

  it.each<[string, Snapshot]>([
    ['incomplete', { kind: 'not-found', incomplete: 'no rights' }],
    ['stale', { kind: 'instances', instances: [], stale: 'no leader' }],
  ])('leaves the file of an earlier run where an empty list is %s', async (_what, empty) => {
    await leave();
    const source = memoryAdapter();
    source.emit(empty);
    const { client, clock } = start(source);
    await clock.advance(10_000);
    await client.close();
    expect(await savedIds()).toEqual(['x', 'y', 'z']);
  });

  it('waits in close() for what is still to be written', async () => {
    const { client, clock, source } = start(memoryAdapter(specs('a')));
    await written();
    source.set(specs('a', 'b'));
    await settle();
    expect(clock.pendingTimers).toBe(1);
    await client.close();
    expect(await savedIds()).toEqual(['a', 'b']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('in close() is complete though one is under way', async () => {
    const { client, source } = start(memoryAdapter(specs('a')));
    await settle(); // the write of the first list has begun
    source.set(specs('a', 'b'));
    await settle();
    await client.close();
    expect(await savedIds()).toEqual(['a', 'b']);
    expect(await readdir(folder)).toHaveLength(1);
  });

  it('that fails is told once, until it works again, and disturbs no call', async () => {
    await writeFile(join(folder, 'taken'), '');
    const blocked = join(folder, 'taken');
    const path = savedListPath(blocked, OWNER);
    const { client, clock, source, faults } = start(memoryAdapter(specs('a')), {
      savedList: { folder: blocked },
    });
    await soon(() => expect(faults).toHaveLength(1));
    expect(faults[0]).toMatchObject({ service: 'orders', adapter: 'saved-list', effect: 'none' });
    expect(faults[0]?.message).toContain(`${path}: `);
    expect(faults[0]?.message).toContain('set savedList: false');
    expect(client.discoveryStatus()).toMatchObject({ state: 'current', lastFault: undefined });
    expect(await client.call(() => 1)).toBe(1);
    for (const name of ['b', 'c']) {
      source.set(specs('a', name));
      await clock.advance(1_000);
      await idle();
    }
    expect(faults).toHaveLength(1);
    await rm(blocked);
    await clock.advance(59_000);
    source.confirm(); // a list that could not be written is tried again once a minute
    await idle();
    await expect(stat(blocked)).rejects.toThrow('ENOENT');
    await clock.advance(1_000);
    source.confirm();
    await soon(async () => expect(await savedIds(path)).toEqual(['a', 'c']));
    await rm(blocked, { recursive: true });
    await writeFile(blocked, '');
    await clock.advance(1_000);
    source.set(specs('a', 'd'));
    await soon(() => expect(faults).toHaveLength(2));
    await client.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('that fails leaves the file that is there, and no other', async () => {
    await mkdir(file); // nothing can take its place
    await expect(writeSavedFile(file, '{}', '1-a')).rejects.toThrow(/EISDIR|EEXIST|EPERM/);
    expect(await readdir(folder)).toEqual([basename(file)]);
  });

  it("does not take another writer's temporary file, nor remove it", async () => {
    await writeFile(`${file}.1-a.tmp`, 'theirs');
    await expect(writeSavedFile(file, '{}', '1-a')).rejects.toThrow('EEXIST');
    expect(await readFile(`${file}.1-a.tmp`, 'utf8')).toBe('theirs');
  });

  it('clears away what killed writers of the same list left behind, and nothing else', async () => {
    const old = new Date(T0 - 61_000);
    const young = new Date(T0 - 59_000);
    const mine = basename(file);
    const files: [string, Date][] = [
      [`${mine}.1-a.tmp`, old],
      [`${mine}.2-b.tmp`, young],
      ['others@memory.json.1-a.tmp', old],
      [`${mine}.bak`, old],
    ];
    for (const [name, time] of files) {
      await writeFile(join(folder, name), '{"format":1,"serv');
      await utimes(join(folder, name), time, time);
    }
    const { client } = start(memoryAdapter(specs('a')));
    await soon(async () =>
      expect(await readdir(folder)).toEqual([mine, ...files.slice(1).map(([name]) => name)].sort()),
    );
    await client.close();
  });

  it('does not happen without the option', async () => {
    const { client } = start(memoryAdapter(specs('a')), { savedList: false });
    await idle();
    await client.close();
    expect(await readdir(folder)).toEqual([]);
  });

  it('of a pool has a file for each service', async () => {
    const discovery = memoryAdapter(specs('a'));
    const pool = createClientPool({
      discovery,
      defaults: { savedList: { folder } },
      services: { quiet: { savedList: false } },
    });
    for (const name of ['orders', 'users', 'quiet']) await pool.client(name).ready();
    await pool.close();
    expect(await readdir(folder)).toEqual(['orders@memory.json', 'users@memory.json']);
  });
});

const NOTHING_ELSE = { locality: {}, tags: [], metadata: {} };

describe('the list of an earlier run', () => {
  it.each([
    ['stale', 'discovery.stale'],
    ['refused', 'discovery.refused'],
  ] as const)('is used at the first fault that makes the list %s', async (effect, event) => {
    await leave();
    const { client, clock, source, told } = start(memoryAdapter());
    const restored: unknown[] = [];
    client.on('instances.restored', (what) => restored.push(what));
    await settle();
    const ready = watched(client.ready());
    source.report({ message: 'bad entry' }); // says nothing of the list
    await idle();
    expect(told).toEqual([]);
    source.report({ message: 'down', effect });
    await soon(() => expect(ready.status).toBe('resolved'));
    expect(idsOf(client)).toEqual(['x', 'y', 'z']);
    expect(client.discoveryStatus()).toMatchObject({
      state: effect,
      cause: 'down',
      restored: true,
      size: 3,
      ageMs: 5_000,
      lastFault: 'down',
    });
    expect(told).toEqual([event, 'instances.changed', 'instances.restored']);
    expect(restored).toEqual([{ service: 'orders', size: 3, ageMs: 5_000 }]);
    expect(await client.call(({ instance }) => instance.port)).toBe(80);
    await clock.advance(1_000);
    expect(client.discoveryStatus()).toMatchObject({ ageMs: 6_000, staleForMs: 1_000 });
    await client.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('is used where the source has said nothing for a while, not before', async () => {
    await leave();
    const { client, clock, told } = start(memoryAdapter(), {
      savedList: { folder, afterMs: 300 },
    });
    await clock.advance(299);
    await idle();
    expect(told).toEqual([]);
    await clock.advance(1);
    await soon(() => expect(idsOf(client)).toEqual(['x', 'y', 'z']));
    expect(told).toEqual(['instances.changed', 'discovery.stale', 'instances.restored']);
    expect(client.discoveryStatus()).toMatchObject({
      state: 'stale',
      staleForMs: 300,
      cause: 'the source has not answered within 300 ms',
      restored: true,
    });
    await client.close();
  });

  it('is not waited for by a call that finds none: the source is', async () => {
    const { client, clock, source, told, faults } = start(memoryAdapter());
    await clock.advance(1_000);
    await idle();
    expect(told).toEqual([]);
    expect(faults).toEqual([]);
    expect(client.discoveryStatus()).toMatchObject({ state: 'waiting', restored: false });
    const call = watched(client.call(() => 1));
    source.set(specs('a'));
    await soon(() => expect(call.status).toBe('resolved'));
    await client.close();
  });

  it('is read once', async () => {
    const { client, clock, source, told } = start(memoryAdapter());
    await settle();
    source.report({ message: 'down', effect: 'stale' });
    await idle();
    await leave();
    source.report({ message: 'down', effect: 'stale' });
    await clock.advance(1_000);
    await idle();
    expect(told).toEqual(['discovery.stale']);
    await client.close();
  });

  it('is ignored where the source answers while it is read', async () => {
    await leave();
    const { client, source, told } = start(memoryAdapter());
    await settle();
    source.report({ message: 'down', effect: 'stale' });
    source.set(specs('a'));
    await idle();
    await client.close();
    expect(told).toEqual(['discovery.stale', 'instances.changed', 'discovery.recovered']);
    expect(idsOf(client)).toEqual(['a']);
  });

  it('is not used any more by a client that is closed while it is read', async () => {
    await leave();
    const { client, source, told, clock } = start(memoryAdapter());
    await settle();
    source.report({ message: 'down', effect: 'stale' });
    await client.close();
    expect(told).toEqual(['discovery.stale']);
    expect(client.snapshot().instances).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it.each<[string, () => Promise<void>, string]>([
    ['is too old', () => leave({ savedAt: T0 - DAY_MS - 1 }), 'raise savedList.maxAgeMs'],
    ['is from the future', () => leave({ savedAt: T0 + 60_001 }), 'set the clock right'],
    ['is of another service', () => leave({ service: 'users' }), 'another service or adapter'],
    ['is of another adapter', () => leave({ adapter: 'consul' }), 'another service or adapter'],
    ['is of another format', () => leave({ format: 2 }), 'format 1'],
    ['has no time', () => leave({ savedAt: null }), 'no time'],
    ['has no list', () => leave({ instances: {} }), 'no time, or no instances'],
    ['has nobody', () => leave({ instances: [] }), 'none of its instances takes calls'],
    ['has nobody who takes calls', () => leave({ instances: specs('a*0') }), 'takes calls'],
    ['has no usable entry', () => leave({ instances: [{ host: 'a' }] }), 'None of the 1 instances'],
    ['is cut short', () => writeFile(file, '{"format":1,"service":"ord'), 'no JSON'],
    ['is empty', () => writeFile(file, ''), 'no JSON'],
    ['is no object', () => writeFile(file, '[]'), 'format 1'],
    ['is a folder', () => mkdir(file).then(() => undefined), 'no regular file'],
  ])('is not used where its file %s, which is told', async (_what, prepare, why) => {
    await prepare();
    const { client, source, faults, told } = start(memoryAdapter());
    await settle();
    source.report({ message: 'down', effect: 'stale' });
    await soon(() => expect(faults.at(-1)?.adapter).toBe('saved-list'));
    await idle();
    const fault = faults.at(-1);
    expect(fault).toMatchObject({ service: 'orders', effect: 'none' });
    expect(fault?.message).toContain(`${file} is not used: `);
    expect(fault?.message).toContain(why);
    expect(told).toEqual(['discovery.stale']);
    expect(client.discoveryStatus()).toMatchObject({ restored: false, lastFault: 'down' });
    expectCode(
      thrownBy(() => client.pick()),
      'ERR_FAIRLEAD_NOT_READY',
    );
    await client.close();
  });

  it('is not used where its file cannot be read, which is told', async () => {
    await symlink(file, file); // rights would not keep out a test that is run by root
    const { client, source, faults } = start(memoryAdapter());
    await settle();
    source.report({ message: 'down', effect: 'stale' });
    await soon(() => expect(faults.at(-1)?.message).toMatch(/ELOOP|no regular file/));
    await client.close();
  });

  it('is used without the entries that are bad', async () => {
    await leave({ instances: [...specs('x'), { host: 'h', port: 0 }] });
    const { client, source, faults } = start(memoryAdapter());
    await settle();
    source.report({ message: 'down', effect: 'stale' });
    await soon(() => expect(idsOf(client)).toEqual(['x']));
    expect(faults.at(-1)?.message).toMatch(/left out.*instances\[1\]\.port/);
    await client.close();
  });

  it('is never written, nor taken away, by who only read it', async () => {
    await leave();
    const before = await readFile(file, 'utf8');
    const { client, clock, source } = start(memoryAdapter());
    await settle();
    source.report({ message: 'down', effect: 'stale' });
    await soon(() => expect(idsOf(client)).toHaveLength(3));
    source.confirm();
    source.emit({ kind: 'not-found', incomplete: 'no rights' });
    await clock.advance(DAY_MS / 2);
    source.confirm();
    await clock.advance(1_000);
    await client.close();
    expect(await readFile(file, 'utf8')).toBe(before);
  });
});

describe('the first list of the source after that of an earlier run', () => {
  async function restored(options: Partial<ClientOptions> = {}): Promise<Rig> {
    await leave();
    const made = start(memoryAdapter(), { shrinkGraceMs: 5_000, ...options });
    await settle();
    made.source.report({ message: 'down', effect: 'stale' });
    await soon(() => expect(idsOf(made.client)).toEqual(['x', 'y', 'z']));
    made.told.length = 0;
    return made;
  }

  it('takes its place at once, without a doubt or a slow start, and is saved', async () => {
    const { client, source, told } = await restored();
    source.set(specs('x', 'a'));
    await settle();
    source.set(specs('x', 'a', 'late'));
    await settle();
    expect(idsOf(client)).toEqual(['x', 'a', 'late']);
    expect(row(client, 'a').capacity).toBe(1);
    expect(row(client, 'late').capacity).toBeLessThan(1);
    expect(told).toEqual(['instances.changed', 'discovery.recovered', 'instances.changed']);
    expect(client.discoveryStatus()).toMatchObject({ state: 'current', restored: false, ageMs: 0 });
    await client.close();
    expect(await savedIds()).toEqual(['x', 'a', 'late']);
  });

  it('takes its place though it has less than half of it', async () => {
    const { client, source, told } = await restored();
    source.set(specs('y'));
    await settle();
    expect(idsOf(client)).toEqual(['y']);
    expect(told).not.toContain('instances.held');
    await client.close();
  });

  it('if it is the same, makes it current, and its file younger when that is due', async () => {
    const { client, source, told } = await restored({ savedList: { folder, maxAgeMs: 600_000 } });
    source.set(specs('x', 'y', 'z'));
    await settle();
    expect(told).toEqual(['discovery.recovered']);
    expect(client.discoveryStatus()).toMatchObject({ restored: false });
    await client.close();
    expect((await saved()).savedAt).toBe(T0 - 5_000);

    const later = start(memoryAdapter(), { savedList: { folder, maxAgeMs: 600_000 } }, T0 + 60_000);
    await settle();
    later.source.report({ message: 'down', effect: 'stale' });
    await soon(() => expect(idsOf(later.client)).toHaveLength(3));
    later.source.set(specs('x', 'y', 'z'));
    await settle();
    await later.client.close();
    expect((await saved()).savedAt).toBe(T0 + 60_000);
  });

  it.each<[string, Snapshot]>([
    ['an empty one', { kind: 'instances', instances: [] }],
    ['no such service', { kind: 'not-found' }],
    ['one in which all drain', listing('x*0', 'y*0', 'z*0')],
  ])('if it is %s, is doubted like any other', async (_what, gone) => {
    const { client, clock, source, told } = await restored();
    source.emit(gone);
    await settle();
    expect(idsOf(client)).toEqual(['x', 'y', 'z']);
    expect(told).toEqual(['instances.held', 'discovery.recovered']);
    expect(client.discoveryStatus()).toMatchObject({ restored: true, holding: true });
    await clock.advance(5_000);
    expect(client.snapshot().instances.filter(({ weight }) => weight > 0)).toEqual([]);
    expect(client.discoveryStatus()).toMatchObject({ restored: false, holding: false });
    await client.close();
  });

  it('if it is doubted, is replaced by the next that has anybody', async () => {
    const { client, source } = await restored();
    source.set([]);
    await settle();
    source.set(specs('x', 'a'));
    await settle();
    expect(idsOf(client)).toEqual(['x', 'a']);
    expect(row(client, 'a').capacity).toBe(1);
    expect(client.discoveryStatus()).toMatchObject({ restored: false, holding: false });
    await client.close();
    expect(await savedIds()).toEqual(['x', 'a']);
  });

  it('if it is incomplete, adds to it', async () => {
    const { client, clock, source, told } = await restored();
    source.emit({ ...listing('x', 'a'), incomplete: 'no rights' });
    await clock.advance(100_000);
    expect(idsOf(client)).toEqual(['x', 'y', 'z', 'a']);
    expect(told).toContain('instances.held');
    expect(client.discoveryStatus()).toMatchObject({ restored: true, heldFor: 'no rights' });
    await idle();
    expect(await savedIds()).toEqual(['x', 'y', 'z']); // not yet
    source.set(specs('a'));
    await settle();
    expect(idsOf(client)).toEqual(['a']);
    await client.close();
  });
});

it('keeps the process alive with no timer', async () => {
  const clock = new ManualClock();
  let referenced = 0;
  const counting = {
    now: () => clock.now(),
    sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
    setTimer: (ms: number, fn: () => void) => {
      referenced++;
      const timer = clock.setTimer(ms, fn);
      return { cancel: () => timer.cancel(), unref: () => referenced-- };
    },
  };
  const source = memoryAdapter();
  const env = { clock: counting, rng: seededRng(1) };
  const client = createClient({
    service: 'orders',
    discovery: source,
    savedList: { folder },
    env,
  });
  await settle();
  expect([clock.pendingTimers, referenced]).toEqual([1, 0]); // the patience with the source
  source.set(specs('a'));
  await settle();
  source.set(specs('a', 'b'));
  await settle();
  await written();
  await soon(() => expect([clock.pendingTimers, referenced]).toEqual([1, 0])); // the next write
  await client.close();
  expect(clock.pendingTimers).toBe(0);
});
