import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { electLeader } from '../../adapters/consul/election.js';
import { readElectionOptions } from '../../adapters/consul/election/options.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { collectUncaught } from '../support/promises.js';
import { ConsulModel, KEY, Process } from './consul-election-model.js';

describe('options', () => {
  it('have defaults', () => {
    expect(readElectionOptions({ key: KEY })).toMatchObject({
      key: KEY,
      sessionTtlMs: 15_000,
      lockDelayMs: 15_000,
      value: expect.stringMatching(new RegExp(`.:${process.pid}$`)),
      checks: [],
    });
  });

  it.each([
    [10_000, 10_000],
    [60_000, 60_000],
    [600_000, 60_000],
  ])('have a lock-delay as long as the session of %i ms, if Consul can: %i', (ttlMs, delayMs) => {
    const { lockDelayMs } = readElectionOptions({ key: KEY, sessionTtlMs: ttlMs });
    expect(lockDelayMs).toBe(delayMs);
  });

  it.each([
    [{ sessionTtlMs: 10_000 }],
    [{ sessionTtlMs: 86_400_000 }],
    [{ lockDelayMs: 0 }],
    [{ lockDelayMs: 60_000 }],
    [{ key: 'a' }],
    [{ key: 'a/b c/ä' }],
    [{ value: '' }],
    [{ checks: [] }],
  ])('may be %o', (options) => {
    expect(() => readElectionOptions({ key: KEY, ...options })).not.toThrow();
  });

  it.each<[string, object, string]>([
    ['key', { key: undefined }, 'a non-empty string'],
    ['key', { key: '' }, 'a non-empty string'],
    ...['/a', 'a/', 'a//b', 'a/../b', './a'].map((key): [string, object, string] => [
      'key',
      { key },
      'a path without empty parts, "." and ".."',
    ]),
    ['sessionTtlMs', { sessionTtlMs: 9_999 }, '>= 10000 and <= 86400000'],
    ['sessionTtlMs', { sessionTtlMs: 86_400_001 }, '>= 10000 and <= 86400000'],
    ['sessionTtlMs', { sessionTtlMs: '15s' }, 'an integer of milliseconds'],
    ['lockDelayMs', { lockDelayMs: -1 }, '>= 0 and <= 60000'],
    ['lockDelayMs', { lockDelayMs: 60_001 }, '>= 0 and <= 60000'],
    ['value', { value: 7 }, 'a string of at most 524288 bytes'],
    ['value', { value: 'ä'.repeat(262_145) }, 'a string of at most 524288 bytes'],
    ['checks', { checks: 'service:a' }, 'an array of non-empty strings'],
    ['checks', { checks: [''] }, 'an array of non-empty strings'],
    ['url', { url: 'ftp://x' }, 'an http or https URL'],
    ['env.clock', { env: { rng: { next: () => 0 } } }, 'a Clock'],
    ['env.rng', { env: { clock: new ManualClock() } }, 'an Rng'],
    ['sessionTTL', { sessionTTL: 7 }, 'Unknown option "sessionTTL"'],
    ['datacenter', { datacenter: 'dc2' }, 'Unknown option "datacenter"'],
  ])('may not be: %s as in %o', (option, options, words) => {
    let thrown: unknown;
    try {
      electLeader({ key: KEY, ...options });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'ERR_FAIRLEAD_INVALID_OPTION', option });
    expect((thrown as Error).message).toContain(words);
  });
});

describe('events', () => {
  it('say which key, which token and why', async () => {
    const clock = new ManualClock();
    const consul = new ConsulModel(clock);
    const { election } = new Process(consul);
    const heard: unknown[] = [];
    const stop = election.on('elected', (event) => heard.push(event));
    election.on('lost', (event) => heard.push(event));
    await settle();
    const { fencingToken } = election;
    await clock.advance(1_234);
    await election.resign();
    expect(heard).toEqual([
      { key: KEY, fencingToken },
      { key: KEY, fencingToken, reason: 'resigned', ledMs: 1_234 },
    ]);
    stop();
    await clock.advance(10_000);
    expect(election.isLeader).toBe(true);
    expect(heard).toHaveLength(2);
    await election.close();
    expect(heard).toHaveLength(3);
  });

  it('are published on diagnostics channels', async () => {
    const heard: unknown[] = [];
    const hear = (event: unknown): void => void heard.push(event);
    subscribe('fairlead:election.elected', hear);
    const { election } = new Process(new ConsulModel(new ManualClock()));
    await settle();
    unsubscribe('fairlead:election.elected', hear);
    expect(heard).toEqual([{ key: KEY, fencingToken: election.fencingToken }]);
  });

  it('must have a name that is known, and listeners that are functions', () => {
    const { election } = new Process(new ConsulModel(new ManualClock()));
    expect(() => election.on('won' as 'lost', () => undefined)).toThrow(
      'Option "name" must be one of elected, lost, fault; got "won".',
    );
    expect(() => election.on('lost', 7 as never)).toThrow('"listener" must be a function');
  });

  it('whose listener throws do no harm: what it throws is uncaught', async () => {
    const { election } = new Process(new ConsulModel(new ManualClock()));
    const failure = new Error('a listener of ours');
    election.on('elected', () => {
      throw failure;
    });
    expect(await collectUncaught(settle)).toEqual([failure]);
    expect(election.isLeader).toBe(true);
  });

  it.each(['lead', 'on'] as const)('%s takes nothing but functions', async (method) => {
    const { election } = new Process(new ConsulModel(new ManualClock()));
    const call = async (): Promise<unknown> =>
      method === 'lead' ? election.lead(7 as never) : election.on('lost', 7 as never);
    await expect(call()).rejects.toMatchObject({ code: 'ERR_FAIRLEAD_INVALID_OPTION' });
  });
});
