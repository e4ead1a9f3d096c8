import { describe, expect, it } from 'vitest';
import { type EntryRules, readEntries } from '../../adapters/consul/entries.js';
import { entryWith } from './entry-with.js';
import { entry, type EntryFields } from './fake-consul.js';

const rules: EntryRules = {
  passingOnly: false,
  protocol: 'http',
  taggedAddress: undefined,
  port: undefined,
  zoneMeta: 'zone',
};

async function one(fields: EntryFields, changes: Partial<EntryRules> = {}): Promise<unknown> {
  const { instances, bad } = await readEntries([entry(fields)], { ...rules, ...changes });
  expect(bad).toEqual([]);
  return instances[0];
}

describe('a Consul entry becomes an instance', () => {
  it('with every part in its place', async () => {
    expect(
      await one({
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
      priority: 0,
      locality: { zone: 'a', region: 'eu' },
      tags: ['v1', 'blue'],
      metadata: { rack: '7' },
      url: 'http://10.1.0.7:8080',
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
  ])('takes %s', async (_what, fields, expected) => {
    expect(await one(fields)).toMatchObject(expected);
  });

  it.each(['high', '-1', '1.5', '', '9999999999'])(
    'takes no priority from %j',
    async (priority) => {
      expect(await one({ meta: { priority } })).toMatchObject({ priority: 0 });
    },
  );

  it('takes the option protocol where the metadata name none', async () => {
    expect(await one({}, { protocol: 'grpc' })).toMatchObject({ protocol: 'grpc' });
  });

  const weights = { Passing: 10, Warning: 3 };
  it.each<[string, readonly unknown[], number | undefined]>([
    ['all passing', ['passing', 'passing'], 10],
    ['one warning', ['passing', 'warning'], 3],
    ['warning and critical', ['warning', 'critical', 'passing'], undefined],
    ['a check without status', ['passing', { CheckID: 'x' }], undefined],
    ['an empty status', ['passing', ''], undefined],
    ['maintenance', ['passing', { CheckID: '_node_maintenance', Status: 'critical' }], undefined],
  ])('with its health: %s', async (_what, checks, weight) => {
    const { instances } = await readEntries([entry({ checks, weights })], rules);
    expect(instances.map((instance) => instance.weight)).toEqual(
      weight === undefined ? [] : [weight],
    );
  });

  it('leaves warnings out when only passing ones are wanted', async () => {
    const checks = ['warning'];
    const { instances } = await readEntries([entry({ checks })], { ...rules, passingOnly: true });
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
    ['a host that is none', entry({ address: 'a b' }), 'entries[1].host', 'a b'],
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
  ])('is set apart and named: %s', async (_what, broken, field, value) => {
    const entries = [entry({ id: 'a' }), broken, entry({ id: 'b' })];
    const { instances, bad } = await readEntries(entries, rules);
    expect(instances.map(({ id }) => id)).toEqual(['dc1/n1/a', 'dc1/n1/b']);
    expect(bad.map(({ error }) => [error.field, error.value])).toEqual([[field, value]]);
  });

  it('that is critical anyway is nobody’s concern', async () => {
    const broken = entry({ port: 0, checks: ['critical'] });
    const { instances, bad } = await readEntries([broken], rules);
    expect({ instances, bad }).toEqual({ instances: [], bad: [] });
  });

  it('is one of an id that is there already: the first counts', async () => {
    const entries = [entry({ id: 'a', port: 81 }), entry({ id: 'a', port: 82 }), entry()];
    const { instances, bad } = await readEntries(entries, rules);
    expect(instances.map(({ id, port }) => [id, port])).toEqual([
      ['dc1/n1/a', 81],
      ['dc1/n1/web-1', 8080],
    ]);
    expect(bad).toMatchObject([
      { id: 'dc1/n1/a', error: { field: 'entries[1].Service.ID', value: 'dc1/n1/a' } },
    ]);
  });
});

describe('what is no instance of the service', () => {
  it.each([
    ['', true],
    [undefined, true],
    ['ingress-gateway', true],
    ['api-gateway', true],
    ['connect-proxy', false],
    ['mesh-gateway', false],
    ['terminating-gateway', false],
  ])('by its kind %j', async (kind, listed) => {
    const { instances, bad } = await readEntries([entryWith({ service: { Kind: kind } })], rules);
    expect([instances.length, bad]).toEqual([listed ? 1 : 0, []]);
  });

  it('is none that speaks for itself in the mesh: it is listed', async () => {
    const native = entryWith({ service: { Connect: { Native: true } } });
    expect((await readEntries([native], rules)).instances).toMatchObject([{ port: 8080 }]);
  });
});

describe('the id of an instance', () => {
  it.each([
    ['of its service', { service: { PeerName: 'east' } }],
    ['of its node', { node: { PeerName: 'east' } }],
  ])('names the peer %s it comes from', async (_where, parts) => {
    const { instances, bad } = await readEntries([entry(), entryWith(parts)], rules);
    expect(bad).toEqual([]);
    expect(instances.map(({ id }) => id)).toEqual(['dc1/n1/web-1', 'peer:east/dc1/n1/web-1']);
  });
});

describe('the zone of an instance', () => {
  const nodeMeta = { zone: 'a', rack: '7' };

  it('is named by the key that the options name', async () => {
    expect(await one({ nodeMeta }, { zoneMeta: 'rack' })).toMatchObject({
      locality: { zone: '7' },
    });
  });

  it.each(['shelf', 'constructor'])('may be missing: %s', async (zoneMeta) => {
    expect(await one({ nodeMeta }, { zoneMeta })).toMatchObject({ locality: {} });
  });
});

describe('a long list', () => {
  const entries = Array.from({ length: 2_001 }, (_, i) => entry({ id: `web-${i}` }));

  it('gives way to others, and keeps its order', async () => {
    let turns = 0;
    const turn = setInterval(() => turns++);
    const { instances } = await readEntries(entries, rules);
    clearInterval(turn);
    expect(instances.map(({ id }) => id)).toEqual(entries.map((_, i) => `dc1/n1/web-${i}`));
    expect(turns).toBeGreaterThanOrEqual(1);
  });

  it('is given up on abort', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const read = readEntries(entries, rules, controller.signal);
    controller.abort(reason);
    await expect(read).rejects.toBe(reason);
  });
});

describe('fingerprint', () => {
  const read = async (...entries: readonly EntryFields[]): Promise<string> => {
    const { fingerprint } = await readEntries(entries.map(entry), rules);
    return fingerprint;
  };

  it('is the same whatever the order, the output of checks and the indexes', async () => {
    const noisy = { checks: [{ Status: 'passing', Output: 'took 3 ms', ModifyIndex: 99 }] };
    expect(await read({ id: 'a' }, { id: 'b', meta: { x: '1', y: '2' } })).toBe(
      await read({ id: 'b', meta: { y: '2', x: '1' }, ...noisy }, { id: 'a' }),
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
  ])('differs with %s', async (_what, fields) => {
    expect(await read(fields)).not.toBe(await read({}));
  });
});
