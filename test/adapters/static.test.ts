import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { staticList } from '../../adapters/static.js';
import { isFairleadError } from '../../src/errors.js';
import { settle } from '../../src/testing/manual-clock.js';
import type { InstanceSpec } from '../../src/types.js';
import { watchWith } from './watched.js';

async function listed(entries: readonly (InstanceSpec | string)[]): Promise<unknown[]> {
  const watched = watchWith(staticList(entries));
  await settle();
  await watched.abort();
  const [snapshot] = watched.snapshots;
  if (snapshot?.kind !== 'instances') throw new Error('no list');
  return [...snapshot.instances];
}

function refusal(entries: unknown): unknown {
  try {
    staticList(entries as []);
  } catch (error) {
    if (isFairleadError(error)) return { ...error, message: error.message };
    throw error;
  }
  throw new Error('it was accepted');
}

describe('staticList', () => {
  it('reads addresses and instances alike', async () => {
    expect(
      await listed([
        'http://10.0.0.1:8080?weight=3&priority=1&zone=a&region=eu&id=one&tag=v1&tag=v2',
        { host: '10.0.0.2', port: 8080, metadata: { rack: '7' } },
      ]),
    ).toEqual([
      {
        id: 'one',
        host: '10.0.0.1',
        port: 8080,
        protocol: 'http',
        weight: 3,
        priority: 1,
        locality: { region: 'eu', zone: 'a' },
        tags: ['v1', 'v2'],
        metadata: {},
        url: 'http://10.0.0.1:8080',
      },
      expect.objectContaining({ id: '10.0.0.2:8080', weight: 1, metadata: { rack: '7' } }),
    ]);
  });

  it.each([
    ['http://a', { url: 'http://a:80' }],
    ['https://A.Example/', { url: 'https://a.example:443' }],
    ['http://a:80', { port: 80 }],
    ['http://[2001:db8::1]:8080', { host: '2001:db8::1', url: 'http://[2001:db8::1]:8080' }],
    ['http://[::1]', { id: '[::1]:80' }],
    ['grpc://a:50051', { protocol: 'grpc', port: 50051 }],
    ['http://a?weight=0.5', { weight: 0.5 }],
  ])('understands %s', async (address, expected) => {
    expect(await listed([address])).toEqual([expect.objectContaining(expected)]);
  });

  it.each<[string, unknown, string, unknown]>([
    ['text', 'a:8080', 'entries[1]', 'a:8080'],
    ['port 0', 'http://a:0', 'entries[1].port', 0],
    ['port 70000', 'http://a:70000', 'entries[1].port', 70000],
    ['port 0 of an instance', { host: 'a', port: 0 }, 'entries[1].port', 0],
    ['port as text', { host: 'a', port: '80' }, 'entries[1].port', '80'],
    ['an empty port', 'http://a:', 'entries[1].port', ''],
    ['no port and no default', 'grpc://a', 'entries[1].port', undefined],
    ['no host', 'http://:80', 'entries[1].host', ''],
    ['IPv6 without brackets', 'http://::1', 'entries[1].host', '::1'],
    ['a bad IPv6', 'http://[::g]', 'entries[1].host', '[::g]'],
    ['no host in an instance', { port: 80 }, 'entries[1].host', undefined],
    ['negative weight', 'http://a?weight=-1', 'entries[1].weight', -1],
    ['weight as text', 'http://a?weight=much', 'entries[1].weight', 'much'],
    ['an empty weight', 'http://a?weight=', 'entries[1].weight', ''],
    ['weight NaN in text', 'http://a?weight=NaN', 'entries[1].weight', 'NaN'],
    ['weight NaN', { host: 'a', port: 80, weight: NaN }, 'entries[1].weight', NaN],
    ['weight twice', 'http://a?weight=1&weight=2', 'entries[1].weight', '1, 2'],
    ['half a priority', 'http://a?priority=0.5', 'entries[1].priority', 0.5],
    ['an unknown parameter', 'http://a?wieght=3', 'entries[1].wieght', '3'],
    ['a path', 'http://a/v1', 'entries[1]', 'http://a/v1'],
    ['a fragment', 'http://a#x', 'entries[1]', 'http://a#x'],
    ['an id in use', 'http://first:80', 'entries[1].id', 'first:80'],
  ])('refuses %s, naming field and value', (_what, entry, field, value) => {
    expect(refusal(['http://first', entry])).toMatchObject({
      code: 'ERR_FAIRLEAD_INVALID_INSTANCE',
      field,
      value,
      message: expect.stringContaining(field),
    });
  });

  it('refuses credentials without showing them', () => {
    const refused = refusal(['http://user:hunter2@a']);
    expect(refused).toMatchObject({ field: 'entries[0]', value: 'http://***@a' });
    expect(JSON.stringify(refused)).not.toContain('hunter2');
  });

  it.each([
    ['an empty list', [], 'entries'],
    ['no list', 'http://a', 'entries'],
    ['an unknown key', [{ host: 'a', port: 80, wieght: 3 }], 'entries[0].wieght'],
    ['an entry that is no object', [7], 'entries[0]'],
  ])('refuses %s', (_what, entries, option) => {
    expect(refusal(entries)).toMatchObject({ code: 'ERR_FAIRLEAD_INVALID_OPTION', option });
  });

  it.each<[string, unknown, string]>([
    [
      'an instance',
      { host: 'a', port: 80 },
      'Option "entries" must be a non-empty array of instances or addresses; got an object. For one instance: staticList([{ host, port }]).',
    ],
    [
      'lists by service',
      { orders: ['http://a'] },
      'Option "entries" must be a non-empty array of instances or addresses; got an object. Each service has a list of its own: createClientPool({ services: { orders: { discovery: staticList([\'http://10.0.0.1:8080\']) } } }).',
    ],
    [
      'an address',
      'http://a',
      'Option "entries" must be a non-empty array of instances or addresses; got "http://a". For one address: staticList([\'http://10.0.0.1:8080\']).',
    ],
    ['a number', 7, 'Option "entries" must be a non-empty array of instances or addresses; got 7.'],
  ])('says how to write %s', (_what, entries, message) => {
    expect(refusal(entries)).toMatchObject({ option: 'entries', value: entries, message });
  });

  it('does not show the credentials of an address that stands alone', () => {
    const refused = refusal('http://user:hunter2@a');
    expect(JSON.stringify(refused)).not.toContain('hunter2');
  });

  it('allows weight 0 for draining, but not for the whole list', async () => {
    expect(await listed(['http://a?weight=0', 'http://b'])).toHaveLength(2);
    expect(refusal(['http://a?weight=0', 'http://b?weight=0'])).toMatchObject({
      code: 'ERR_FAIRLEAD_INVALID_INSTANCE',
      field: 'entries[0].weight',
      value: 0,
    });
  });

  it('yields once, then waits for the abort and leaves no listener', async () => {
    const watched = watchWith(staticList(['http://a']));
    await settle();
    expect(watched.snapshots).toHaveLength(1);
    await watched.abort();
    expect(watched.snapshots).toHaveLength(1);
    expect(getEventListeners(watched.signal, 'abort')).toHaveLength(0);
  });
});
