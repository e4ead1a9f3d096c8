import { describe, expect, it } from 'vitest';
import { type EntryRules, readEntries } from '../../adapters/consul/entries.js';
import { entryWith } from './entry-with.js';
import type { EntryFields } from './fake-consul.js';

const rules: EntryRules = {
  passingOnly: false,
  protocol: 'http',
  taggedAddress: undefined,
  port: undefined,
  zoneMeta: 'zone',
};

type Parts = Parameters<typeof entryWith>[0];

/** `host:port`, or the field that is to blame and what was found there. */
async function target(
  changes: Partial<EntryRules>,
  parts: Parts,
  fields?: EntryFields,
): Promise<unknown> {
  const { instances, bad } = await readEntries([entryWith(parts, fields)], {
    ...rules,
    ...changes,
  });
  expect(instances.length + bad.length).toBe(1);
  const [instance] = instances;
  const [blamed] = bad;
  return instance === undefined
    ? [blamed?.error.field, blamed?.error.value]
    : `${instance.host} ${instance.port}`;
}

describe('the address of an instance', () => {
  it.each([
    ['its own', '10.1.0.7', '10.1.0.7 8080'],
    ['that of its node', '', '10.0.0.1 8080'],
    ['IPv6 as Consul has it', '2001:db8::1', '2001:db8::1 8080'],
    ['IPv6 in brackets, as some register it', '[2001:db8::1]', '2001:db8::1 8080'],
  ])('is %s', async (_what, address, expected) => {
    expect(await target({}, {}, { address })).toBe(expected);
  });

  it('is never a tagged one unless asked for', async () => {
    const parts = { service: { TaggedAddresses: { wan: { Address: '1.2.3.4', Port: 81 } } } };
    expect(await target({}, parts, { address: '10.1.0.7' })).toBe('10.1.0.7 8080');
  });
});

describe('a tagged address', () => {
  const wan = { taggedAddress: 'wan' };
  // As every node of a real agent has them.
  const node = { TaggedAddresses: { lan: '10.0.0.1', lan_ipv4: '10.0.0.1', wan: '5.6.7.8' } };
  const tagged = (addresses: unknown): Parts => ({ service: { TaggedAddresses: addresses }, node });

  it.each<[string, Parts, string, unknown]>([
    ['with its port', tagged({ wan: { Address: '1.2.3.4', Port: 81 } }), '10.1.0.7', '1.2.3.4 81'],
    ['in small letters', tagged({ wan: { address: '1.2.3.4', port: 81 } }), '', '1.2.3.4 81'],
    ['without a port', tagged({ wan: { Address: '1.2.3.4' } }), '', '1.2.3.4 8080'],
    [
      'with port 0, Consul’s none',
      tagged({ wan: { Address: '1.2.3.4', Port: 0 } }),
      '',
      '1.2.3.4 8080',
    ],
    ['in brackets', tagged({ wan: { Address: '[2001:db8::2]', Port: 81 } }), '', '2001:db8::2 81'],
    [
      'that is empty: its own',
      tagged({ wan: { Address: '', Port: 81 } }),
      '10.1.0.7',
      '10.1.0.7 8080',
    ],
    [
      'of another name: its own',
      tagged({ lan: { Address: '1.2.3.4' } }),
      '10.1.0.7',
      '10.1.0.7 8080',
    ],
    ['of another name: its node’s', tagged({ lan: { Address: '1.2.3.4' } }), '', '5.6.7.8 8080'],
    ['of a map that is null', tagged(null), '10.1.0.7', '10.1.0.7 8080'],
    ['of a map that is null, without one of its own', tagged(null), '', '5.6.7.8 8080'],
    ['of no map at all', {}, '', '10.0.0.1 8080'],
    ['that is no address', tagged({ wan: 'x' }), '10.1.0.7', '10.1.0.7 8080'],
    [
      'with a port that is none',
      tagged({ wan: { Address: '1.2.3.4', Port: 70_000 } }),
      '',
      ['entries[0].Service.TaggedAddresses.wan.Port', 70_000],
    ],
  ])('is used %s', async (_what, parts, address, expected) => {
    expect(await target(wan, parts, { address })).toEqual(expected);
  });

  it('stands in for a service port that is none', async () => {
    const parts = tagged({ wan: { Address: '1.2.3.4', Port: 81 } });
    expect(await target(wan, parts, { port: 0 })).toBe('1.2.3.4 81');
  });

  it.each(['constructor', '__proto__'])('has no name of the language: %s', async (name) => {
    expect(await target({ taggedAddress: name }, tagged({}), { address: '10.1.0.7' })).toBe(
      '10.1.0.7 8080',
    );
  });
});

describe('a port by name', () => {
  const grpc = { port: 'grpc' };
  const ports = [
    { Name: 'http', Port: 8081, Default: true },
    { Name: 'grpc', Port: 9090 },
  ];

  it.each<[string, Parts, EntryFields, unknown]>([
    ['of its ports', { service: { Ports: ports } }, {}, '10.0.0.1 9090'],
    ['in small letters', { service: { Ports: [{ name: 'grpc', port: 9 }] } }, {}, '10.0.0.1 9'],
    ['of its metadata', {}, { meta: { port_grpc: '9091' } }, '10.0.0.1 9091'],
    [
      'of its ports before its metadata',
      { service: { Ports: ports } },
      { meta: { port_grpc: '1' } },
      '10.0.0.1 9090',
    ],
    ['that is missing', {}, {}, ['entries[0].Service.Ports', undefined]],
    [
      'that is missing among others',
      { service: { Ports: ports.slice(0, 1) } },
      {},
      ['entries[0].Service.Ports', 'http'],
    ],
    [
      'that is none',
      { service: { Ports: [{ Name: 'grpc', Port: 0 }] } },
      {},
      ['entries[0].Service.Ports.grpc', 0],
    ],
    [
      'of metadata that is none',
      {},
      { meta: { port_grpc: '90x' } },
      ['entries[0].Service.Meta.port_grpc', '90x'],
    ],
    [
      'of metadata that is too large',
      {},
      { meta: { port_grpc: '70000' } },
      ['entries[0].Service.Meta.port_grpc', 70_000],
    ],
    [
      'of no list',
      { service: { Ports: { grpc: 1 } } },
      {},
      ['entries[0].Service.Ports', undefined],
    ],
  ])('is found, or the instance left out: %s', async (_what, parts, fields, expected) => {
    expect(await target(grpc, parts, fields)).toEqual(expected);
  });

  it('goes with a tagged address, whatever port that has', async () => {
    const addresses = { wan: { Address: '1.2.3.4', Port: 81 } };
    const parts = { service: { Ports: ports, TaggedAddresses: addresses } };
    expect(await target({ ...grpc, taggedAddress: 'wan' }, parts)).toBe('1.2.3.4 9090');
  });

  it.each<[string, unknown, unknown, unknown]>([
    ['the default of several', 0, ports, '10.0.0.1 8081'],
    ['the default where the service’s own is missing', undefined, ports, '10.0.0.1 8081'],
    ['the only one', 0, [{ Name: 'grpc', Port: 9090 }], '10.0.0.1 9090'],
    ['the service’s own, where it has one', 8080, ports, '10.0.0.1 8080'],
    [
      'none of several without a default',
      0,
      [
        { Name: 'a', Port: 1 },
        { Name: 'b', Port: 2 },
      ],
      ['entries[0].Service.Port', 0],
    ],
    ['none, for its own is no port', -1, ports, ['entries[0].Service.Port', -1]],
  ])('that is not asked for: %s is used', async (_what, port, list, expected) => {
    expect(await target({}, { service: { Ports: list } }, { port })).toEqual(expected);
  });
});
