import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { staticList } from '../adapters/static.js';
import type { Client } from '../src/client.js';
import { createClientPool } from '../src/client-pool.js';
import { fromEmitter, poll } from '../src/discovery.js';
import { heard, newsOf, outdated, type Standing } from '../src/discovery-status.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { memoryAdapter } from '../src/testing/memory-adapter.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import type { Snapshot, SourceStanding } from '../src/types.js';
import { expectCode } from './support/errors.js';
import { clientOver, listing, rig, scripted, specs, yielding } from './support/fixtures.js';
import { never, thrownBy, watched } from './support/promises.js';

const WAITING: Standing = { kind: 'waiting', sinceMs: 0 };
const CURRENT: Standing = { kind: 'current' };
const STALE = outdated(CURRENT, 'stale', 'down', 10);
const REFUSED = outdated(CURRENT, 'refused', 'no rights', 10);
const STALE_AFTER_REFUSED = outdated(REFUSED, 'stale', 'down', 20);

describe('how things stand with a source', () => {
  it('is current once it was heard, and stale where it says so itself', () => {
    for (const before of [WAITING, CURRENT, STALE, REFUSED]) {
      expect(heard(before, undefined, 20)).toEqual({ kind: 'current' });
      expect(heard(before, 'no leader', 20)).toMatchObject({ kind: 'stale', cause: 'no leader' });
    }
  });

  it('counts from when it was not current any more, whatever the cause becomes', () => {
    expect(STALE).toMatchObject({ sinceMs: 10, cause: 'down' });
    expect(outdated(STALE, 'refused', 'no rights', 30)).toMatchObject({
      sinceMs: 10,
      cause: 'no rights',
    });
    expect(heard(STALE_AFTER_REFUSED, 'no leader', 40)).toMatchObject({
      sinceMs: 10,
      cause: 'no leader',
    });
    expect(outdated(WAITING, 'stale', 'down', 30)).toMatchObject({ sinceMs: 0 });
  });

  it.each<[string, Standing, Standing, unknown]>([
    ['a first list', WAITING, CURRENT, undefined],
    ['a list after another', CURRENT, CURRENT, undefined],
    ['a fault', CURRENT, STALE, { kind: 'stale', reason: 'down' }],
    ['a fault before the first list', WAITING, STALE, { kind: 'stale', reason: 'down' }],
    ['a fault after another', STALE, STALE, undefined],
    ['a refusal', CURRENT, REFUSED, { kind: 'refused', reason: 'no rights' }],
    ['a refusal at first', WAITING, REFUSED, { kind: 'refused', reason: 'no rights' }],
    ['a refusal after a fault', STALE, REFUSED, { kind: 'refused', reason: 'no rights' }],
    ['a refusal after another', REFUSED, REFUSED, undefined],
    ['a fault after a refusal', REFUSED, STALE_AFTER_REFUSED, undefined],
    ['a refusal after a fault after a refusal', STALE_AFTER_REFUSED, REFUSED, undefined],
    ['an answer after a fault', STALE, CURRENT, { kind: 'recovered', staleForMs: 90 }],
    ['an answer after a refusal', REFUSED, CURRENT, { kind: 'recovered', staleForMs: 90 }],
  ])('%s: what is told', (_what, before, after, news) => {
    expect(newsOf(before, after, 100)).toEqual(news);
  });

  it('tells each once in an outage, and its end once, whatever happens', () => {
    const step = fc.constantFrom('heard', 'old', 'stale', 'refused');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let standing: Standing = WAITING;
        let told: string[] = [];
        steps.forEach((what, nowMs) => {
          const before = standing;
          if (what === 'stale' || what === 'refused') {
            standing = outdated(before, what, what, nowMs);
          } else standing = heard(before, what === 'old' ? 'old' : undefined, nowMs);
          const news = newsOf(before, standing, nowMs);
          if (news?.kind === 'recovered') {
            expect(told.length).toBeGreaterThan(0);
            told = [];
          } else if (news !== undefined) {
            expect(told).not.toContain(news.kind);
            told.push(news.kind);
          }
          // Whoever follows the events knows whether it is current.
          if (before !== WAITING) expect(told.length === 0).toBe(standing.kind === 'current');
          if (standing.kind === 'refused') expect(told).toContain('refused');
        });
      }),
      { seed: 13 },
    );
  });
});

const NAMES = ['discovery.stale', 'discovery.refused', 'discovery.recovered'] as const;

/** What is told of the source, in order. */
function toldBy(client: Client): unknown[] {
  const told: unknown[] = [];
  for (const name of NAMES) {
    client.on(name, ({ service, adapter, ...rest }) => {
      expect([service, adapter]).toEqual(['orders', 'memory']);
      told.push([name.replace('discovery.', ''), ...Object.values(rest)]);
    });
  }
  return told;
}

describe('discoveryStatus', () => {
  it('is waiting until the source said anything, then current', async () => {
    const { client, source, clock } = await rig([]);
    source.set(specs('a', 'b*0'));
    await clock.advance(70);
    expect(client.discoveryStatus()).toEqual({
      service: 'orders',
      adapter: 'memory',
      state: 'current',
      staleForMs: 0,
      cause: undefined,
      ageMs: 70,
      restored: false,
      size: 2,
      holding: false,
      heldFor: undefined,
      lastFault: undefined,
      details: {},
    });
    expect(client.snapshot().discovery).toEqual(client.discoveryStatus());
    await client.close();

    const silent = clientOver(memoryAdapter());
    await silent.clock.advance(5_000);
    expect(silent.client.discoveryStatus()).toMatchObject({
      state: 'waiting',
      staleForMs: 5_000,
      ageMs: undefined,
      cause: undefined,
    });
    await silent.client.close();
  });

  it.each([
    ['an empty list', { kind: 'instances', instances: [] }],
    ['that there is no such service', { kind: 'not-found' }],
  ] as const)('is current where the source says %s', async (_what, snapshot) => {
    const source = memoryAdapter();
    source.emit(snapshot);
    const { client } = clientOver(source);
    const told = toldBy(client);
    await settle();
    expect(client.discoveryStatus()).toMatchObject({ state: 'current', size: 0 });
    expect(told).toEqual([]);
    await client.close();
  });

  it('is stale from the first fault to the next list, told once', async () => {
    const { client, source, clock } = await rig(['a']);
    const told = toldBy(client);
    await clock.advance(100);
    source.report({ message: 'no answer', effect: 'stale' });
    await clock.advance(200);
    source.report({ message: 'still no answer', effect: 'stale' });
    expect(client.discoveryStatus()).toMatchObject({
      state: 'stale',
      staleForMs: 200,
      cause: 'still no answer',
      ageMs: 300,
      size: 1,
      lastFault: 'still no answer',
    });
    expect(told).toEqual([['stale', 'no answer']]);
    source.set(specs('a'));
    await settle();
    expect(client.discoveryStatus()).toMatchObject({
      state: 'current',
      staleForMs: 0,
      cause: undefined,
      lastFault: 'still no answer',
    });
    expect(told).toEqual([
      ['stale', 'no answer'],
      ['recovered', 200],
    ]);
    await client.close();
  });

  it('is stale where a watch throws, ends, or yields what is no list', async () => {
    for (const broken of [
      () => {
        throw new Error('broken');
      },
      async function* () {},
      yielding(listing('a'), 'garbage'),
    ]) {
      const { client } = clientOver(scripted(broken));
      await settle();
      expect(client.discoveryStatus().state).toBe('stale');
      await client.close();
    }
  });

  it('is not changed by a fault that says nothing of the list', async () => {
    const { client, source } = await rig(['a']);
    const told = toldBy(client);
    source.report({ message: 'a bad entry' });
    source.report({ message: 'another', effect: 'none' });
    source.report({ message: 'what is this', effect: 'odd' as 'none' });
    expect(client.discoveryStatus()).toMatchObject({ state: 'current', lastFault: 'what is this' });
    expect(told).toEqual([]);
    source.emit({ kind: 'instances', instances: [...specs('a'), { host: 'h', port: 0 }] });
    await settle();
    expect(client.discoveryStatus()).toMatchObject({ state: 'current', size: 1 });
    expect(client.discoveryStatus().lastFault).toContain('instances[1].port');
    await client.close();
  });

  it('is refused where a configuration must be changed, told once though other faults follow', async () => {
    const { client, source, clock } = await rig(['a']);
    const told = toldBy(client);
    source.report({ message: 'down', effect: 'stale' });
    for (let i = 0; i < 3; i++) {
      await clock.advance(60_000);
      source.report({ message: 'ACL not found', effect: 'refused' });
      expect(client.discoveryStatus()).toMatchObject({ state: 'refused', cause: 'ACL not found' });
      source.report({ message: 'down again', effect: 'stale' });
      expect(client.discoveryStatus()).toMatchObject({ state: 'stale', cause: 'down again' });
    }
    source.confirm();
    expect(told).toEqual([
      ['stale', 'down'],
      ['refused', 'ACL not found'],
      ['recovered', 180_000],
    ]);
    await client.close();
  });

  it('follows what the source says of itself, without flicker', async () => {
    const { client, source, clock } = await rig(['a']);
    const told = toldBy(client);
    const old: Snapshot = { ...listing('a', 'b'), stale: 'from a cache' };
    source.emit(old);
    await clock.advance(50);
    expect(client.discoveryStatus()).toMatchObject({ state: 'stale', cause: 'from a cache' });
    source.emit(old);
    await clock.advance(50);
    source.confirm({ stale: 'no leader' });
    expect(client.discoveryStatus()).toMatchObject({
      state: 'stale',
      cause: 'no leader',
      staleForMs: 100,
      ageMs: 50,
      size: 2,
    });
    source.confirm();
    expect(client.discoveryStatus()).toMatchObject({ state: 'current', ageMs: 50 });
    expect(told).toEqual([
      ['stale', 'from a cache'],
      ['recovered', 100],
    ]);
    await client.close();
  });

  it('shows the facts that the source told last, not those before', async () => {
    const { client, source } = await rig(['a']);
    source.confirm({ details: { agent: 'a:8500', index: 7 } });
    expect(client.discoveryStatus().details).toEqual({ agent: 'a:8500', index: 7 });
    const details = { agent: 'b:8500' };
    source.confirm({ stale: 'no leader', details });
    details.agent = 'later';
    expect(client.discoveryStatus()).toMatchObject({ state: 'stale' });
    expect(client.discoveryStatus().details).toEqual({ agent: 'b:8500' });
    source.confirm(); // says nothing of them
    expect(client.discoveryStatus().details).toEqual({ agent: 'b:8500' });
    await client.close();
  });

  it('cannot be confirmed where nothing was listed', async () => {
    const source = memoryAdapter();
    const { client } = clientOver(source);
    await settle();
    source.confirm({ details: { agent: 'a' } });
    expect(client.discoveryStatus()).toMatchObject({ state: 'waiting', details: { agent: 'a' } });
    source.confirm({ stale: 'no leader' });
    expect(client.discoveryStatus()).toMatchObject({ state: 'stale', cause: 'no leader' });
    expect(client.snapshot().status).toBe('waiting');
    source.confirm();
    expect(client.discoveryStatus().state).toBe('stale');
    await client.close();
  });

  it('hears nothing of a watch that is over', async () => {
    const adapter = scripted(yielding(listing('a')));
    const { client } = clientOver(adapter);
    await settle();
    await client.close();
    const standing: SourceStanding = { stale: 'late' };
    adapter.contexts[0]?.confirm(standing);
    adapter.contexts[0]?.report({ message: 'late', effect: 'stale' });
    expect(client.discoveryStatus().state).toBe('current');
  });

  it('tells of a recovery when the list is in use, and the client may be closed on it', async () => {
    const { client, source } = await rig(['a']);
    source.report({ message: 'down', effect: 'stale' });
    let size: number | undefined;
    client.on('discovery.recovered', () => {
      size = client.snapshot().instances.length;
      void client.close();
    });
    source.set(specs('a', 'b'));
    await settle();
    expect(size).toBe(2);
  });

  it('names the last fault or what the source says of its list where there is nothing to pick', async () => {
    const { client, source } = await rig(['a'], { shrinkGraceMs: 0 });
    source.emit({ kind: 'instances', instances: [], stale: 'no leader' });
    await settle();
    const error = thrownBy(() => client.pick()) as Error;
    expectCode(error, 'ERR_FAIRLEAD_NO_INSTANCES');
    expect(error.message).toContain('(no leader)');
    source.report({ message: 'an entry is bad' });
    expect((thrownBy(() => client.pick()) as Error).message).toContain('(an entry is bad)');
    source.confirm();
    expect((thrownBy(() => client.pick()) as Error).cause).toBeUndefined();
    await client.close();
  });

  it('is plain JSON, and seen to change with time alone', async () => {
    const { client, source, clock } = await rig(['a']);
    source.report({ message: 'down', effect: 'refused' });
    await clock.advance(10);
    const status = client.discoveryStatus();
    expect(status).toMatchObject({ state: 'refused', staleForMs: 10 });
    const { heldFor, ...shown } = status;
    expect(heldFor).toBeUndefined();
    expect(JSON.parse(JSON.stringify(status))).toEqual(shown);
    await client.close();
  });
});

describe('other sources', () => {
  it('a static list is current for ever', async () => {
    const { client, clock } = clientOver(staticList(['http://a:80']));
    await clock.advance(1_000_000_000);
    expect(client.discoveryStatus()).toMatchObject({ adapter: 'static', state: 'current' });
    await client.close();
  });

  it('one that is polled is current with each answer, and stale with a failed one', async () => {
    let answer = (): Promise<Snapshot> => Promise.resolve(listing('a'));
    const source = poll('polled', () => answer(), { intervalMs: 1_000, timeoutMs: 500 });
    const { client, clock } = clientOver(source);
    const states: string[] = [];
    for (const name of NAMES) client.on(name, () => states.push(name));
    await clock.advance(10_000);
    expect(client.discoveryStatus()).toMatchObject({ state: 'current', ageMs: 0 });
    answer = never;
    await clock.advance(2_000);
    expect(client.discoveryStatus()).toMatchObject({
      state: 'stale',
      cause: expect.stringContaining('500 ms'),
    });
    answer = () => Promise.resolve(listing('a'));
    await clock.advance(30_000);
    expect(client.discoveryStatus().state).toBe('current');
    expect(states).toEqual(['discovery.stale', 'discovery.recovered']);
    await client.close();
  });

  it('one that calls back is current until it fails', async () => {
    let fail: (error: unknown) => void = () => undefined;
    const source = fromEmitter('called', (_service, sink) => {
      fail = sink.fail;
      sink.emit(listing('a'));
      return () => undefined;
    });
    const { client, clock } = clientOver(source);
    await clock.advance(1_000_000);
    expect(client.discoveryStatus().state).toBe('current');
    fail(new Error('lost'));
    await settle();
    expect(client.discoveryStatus()).toMatchObject({ state: 'stale', cause: 'lost' });
    await clock.advance(1_000);
    expect(client.discoveryStatus().state).toBe('current');
    await client.close();
  });

  it('what cannot find the zone of the caller changes nothing', async () => {
    const local = (): Promise<string> => Promise.reject(new Error('no zone'));
    const { client } = await rig(['a'], { stages: { zone: { local } } });
    expect(client.discoveryStatus()).toMatchObject({ state: 'current', lastFault: undefined });
    await client.close();
  });

  it('of a pool: those of the clients made so far', async () => {
    const env = { clock: new ManualClock(), rng: seededRng(1) };
    const pool = createClientPool({ discovery: memoryAdapter(specs('a')), defaults: { env } });
    expect(pool.discoveryStatus()).toEqual([]);
    const [orders, users] = [pool.client('orders'), pool.client('users')];
    await settle();
    expect(pool.discoveryStatus()).toEqual([orders.discoveryStatus(), users.discoveryStatus()]);
    expect(pool.discoveryStatus().map(({ service }) => service)).toEqual(['orders', 'users']);
    await pool.close();
  });
});

describe('an incomplete list', () => {
  const part: Snapshot = { ...listing('a'), incomplete: 'results are filtered' };

  it('is told and shown as held, and loses nobody however long', async () => {
    const { client, source, clock } = await rig(['a', 'b', 'c'], { shrinkGraceMs: 1_000 });
    const held: unknown[] = [];
    client.on('instances.held', (event) => held.push(event));
    source.emit(part);
    await clock.advance(100_000);
    source.emit({ kind: 'not-found', incomplete: 'no rights' });
    await clock.advance(100_000);
    expect(client.snapshot()).toMatchObject({ status: 'listed', instances: { length: 3 } });
    expect(client.discoveryStatus()).toMatchObject({
      state: 'current',
      size: 3,
      holding: true,
      heldFor: 'no rights',
    });
    expect(held).toEqual([
      {
        service: 'orders',
        kept: 3,
        reported: 1,
        graceMs: Infinity,
        reason: 'results are filtered',
      },
    ]);
    expect(source.watches).toBe(1);
    source.set(specs('a', 'b'));
    await settle();
    expect(client.discoveryStatus()).toMatchObject({ size: 2, holding: false, heldFor: undefined });
    await client.close();
  });

  it('taken as the first says in an error why there may be nobody', async () => {
    const source = memoryAdapter();
    source.emit({ kind: 'not-found', incomplete: 'no rights' });
    const { client, clock } = clientOver(source);
    const ready = watched(client.ready());
    await clock.advance(10_000);
    expectCode(ready.error, 'ERR_FAIRLEAD_SERVICE_NOT_FOUND');
    expect((ready.error as Error).message).toContain('(no rights)');
    await client.close();
  });
});

it('leaves no timer behind, whatever the state', async () => {
  const { client, source, clock } = await rig(['a', 'b']);
  source.emit({ ...listing(), stale: 'old', incomplete: 'part' });
  await settle();
  source.report({ message: 'down', effect: 'refused' });
  await client.close();
  expect(clock.pendingTimers).toBe(0);
});
