import { describe, expect, it } from 'vitest';
import { readEntries } from '../../adapters/consul/entries.js';
import { fingerprint } from '../../adapters/consul/fingerprint.js';
import { entry, type EntryFields } from './fake-consul.js';

const rules = {
  passingOnly: false,
  protocol: 'http',
  taggedAddress: undefined,
  port: undefined,
  zoneMeta: 'zone',
};

function one(fields: EntryFields, changes: Partial<typeof rules> = {}): unknown {
  const { instances, bad } = readEntries([entry(fields)], { ...rules, ...changes });
  expect(bad).toEqual([]);
  return instances[0];
}

describe('a Consul entry becomes an instance', () => {
  it('with every part in its place', () => {
    expect(
      one({
        address: '10.1.0.7',
        tags: ['v1', 'blue'],
        meta: { rack: '7' },
        nodeMeta: { zone: 'a', region: 'eu' },
        weights: { Passing: 5, Warning: 2 },
      }),
    ).toEqual({
      id: 'dc1/n1/web-1',
      host: '10.1.0.7',
      port: 8080,
      protocol: 'http',
      weight: 5,
      locality: { zone: 'a', region: 'eu' },
      tags: ['v1', 'blue'],
      metadata: { rack: '7' },
    });
  });

  it.each<[string, EntryFields, object]>([
    ['node address where the service has none', { address: '' }, { host: '10.0.0.1' }],
    ['IPv6 without brackets', { address: '2001:db8::1' }, { host: '2001:db8::1' }],
    ['protocol of the metadata', { meta: { protocol: 'https' } }, { protocol: 'https' }],
    ['no other protocol than http and https', { meta: { protocol: 'tcp' } }, { protocol: 'http' }],
    ['a priority of the metadata', { meta: { priority: '2' } }, { priority: 2 }],
    ['null metadata and tags', { meta: null, tags: null }, { metadata: {}, tags: [] }],
    [
      'the service locality before node metadata',
      { locality: { Region: 'us', Zone: 'us-1' }, nodeMeta: { zone: 'a' } },
      { locality: { region: 'us', zone: 'us-1' } },
    ],
    ['an empty locality as none', { locality: { Region: '', Zone: '' } }, { locality: {} }],
    ['absent weights as 1', { weights: undefined }, { weight: 1 }],
    ['null weights as 1', { weights: null }, { weight: 1 }],
    ['weight 0 as draining', { weights: { Passing: 0, Warning: 1 } }, { weight: 0 }],
    ['no checks as passing', { checks: [] }, { weight: 1 }],
  ])('takes %s', (_what, fields, expected) => {
    expect(one(fields)).toMatchObject(expected);
  });

  it.each(['high', '-1', '1.5', '', '9999999999'])('takes no priority from %j', (priority) => {
    expect(one({ meta: { priority } })).not.toHaveProperty('priority');
  });

  it('takes the option protocol where the metadata name none', () => {
    expect(one({}, { protocol: 'grpc' })).toMatchObject({ protocol: 'grpc' });
  });

  const weights = { Passing: 10, Warning: 3 };
  it.each<[string, readonly unknown[], number | undefined]>([
    ['all passing', ['passing', 'passing'], 10],
    ['one warning', ['passing', 'warning'], 3],
    ['warning and critical', ['warning', 'critical', 'passing'], undefined],
    ['a check without status', ['passing', { CheckID: 'x' }], undefined],
    ['an empty status', ['passing', ''], undefined],
    ['maintenance', ['passing', { CheckID: '_node_maintenance', Status: 'critical' }], undefined],
  ])('with its health: %s', (_what, checks, weight) => {
    const { instances } = readEntries([entry({ checks, weights })], rules);
    expect(instances.map((instance) => instance.weight)).toEqual(
      weight === undefined ? [] : [weight],
    );
  });

  it('leaves warnings out when only passing ones are wanted', () => {
    const checks = ['warning'];
    const { instances } = readEntries([entry({ checks })], { ...rules, passingOnly: true });
    expect(instances).toEqual([]);
  });
});

describe('a bad entry', () => {
  it.each<[string, unknown, string, unknown]>([
    ['port 0', entry({ port: 0 }), 'entries[1].Service.Port', 0],
    ['port -1', entry({ port: -1 }), 'entries[1].Service.Port', -1],
    ['port 70000', entry({ port: 70_000 }), 'entries[1].Service.Port', 70_000],
    ['no port', entry({ port: undefined }), 'entries[1].Service.Port', undefined],
    ['port as text', entry({ port: '80' }), 'entries[1].Service.Port', '80'],
    ['no address', entry({ nodeAddress: '' }), 'entries[1].Service.Address', ''],
    ['no id', entry({ id: '' }), 'entries[1].Service.ID', ''],
    [
      'negative weight',
      entry({ weights: { Passing: -1 } }),
      'entries[1].Service.Weights.Passing',
      -1,
    ],
    ['weights that are text', entry({ weights: 'x' }), 'entries[1].Service.Weights', 'x'],
    ['null', null, 'entries[1]', null],
    ['no node', { Service: {} }, 'entries[1].Node', undefined],
    ['no service', { Node: {} }, 'entries[1].Service', undefined],
  ])('is set apart and named: %s', (_what, broken, field, value) => {
    const { instances, bad } = readEntries([entry({ id: 'a' }), broken, entry({ id: 'b' })], rules);
    expect(instances.map(({ id }) => id)).toEqual(['dc1/n1/a', 'dc1/n1/b']);
    expect(bad.map(({ error }) => [error.field, error.value])).toEqual([[field, value]]);
  });

  it('that is critical anyway is nobody’s concern', () => {
    const { instances, bad } = readEntries([entry({ port: 0, checks: ['critical'] })], rules);
    expect({ instances, bad }).toEqual({ instances: [], bad: [] });
  });
});

describe('fingerprint', () => {
  const read = (...entries: readonly EntryFields[]): string =>
    fingerprint(readEntries(entries.map(entry), rules).instances);

  it('is the same whatever the order, the output of checks and the indexes', () => {
    const noisy = { checks: [{ Status: 'passing', Output: 'took 3 ms', ModifyIndex: 99 }] };
    expect(read({ id: 'a' }, { id: 'b', meta: { x: '1', y: '2' } })).toBe(
      read({ id: 'b', meta: { y: '2', x: '1' }, ...noisy }, { id: 'a' }),
    );
  });

  it.each<[string, EntryFields]>([
    ['port', { port: 81 }],
    ['address', { address: '10.0.0.9' }],
    ['weight', { weights: { Passing: 2, Warning: 1 } }],
    ['tags', { tags: ['v2'] }],
    ['metadata', { meta: { rack: '7' } }],
    ['zone', { nodeMeta: { zone: 'a' } }],
    ['protocol', { meta: { protocol: 'https' } }],
  ])('differs with %s', (_what, fields) => {
    expect(read(fields)).not.toBe(read({}));
  });
});
