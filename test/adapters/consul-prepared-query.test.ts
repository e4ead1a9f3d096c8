import { describe, expect, it } from 'vitest';
import { consul } from '../../adapters/consul.js';
import { readOptions } from '../../adapters/consul/options.js';
import { parseNodes } from '../../adapters/consul/prepared-query.js';
import { settle } from '../../src/testing/manual-clock.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';
import { begin } from './consul-scene.js';
import { entry } from './fake-consul.js';

/** As Consul 1.8 answers. */
const result = (nodes: unknown): object => ({
  Service: 'web',
  Nodes: nodes,
  DNS: { TTL: '' },
  Datacenter: 'dc1',
  Failovers: 0,
  Namespace: '',
});

describe('a prepared query', () => {
  it('is executed by its name, near whom and where the options say', async () => {
    const options = { preparedQuery: true, near: '_agent', datacenter: 'dc2' };
    const { client, watched } = await begin(options);
    expect(client.newest()).toMatchObject({
      path: '/query/web/execute',
      query: { near: '_agent', dc: 'dc2' },
    });
    client.newest().reply(result([entry({ id: 'a' }), entry({ id: 'b' })]), 1);
    await settle();
    expect(watched.snapshots).toMatchObject([
      { kind: 'instances', instances: [{ id: 'dc1/n1/a' }, { id: 'dc1/n1/b' }] },
    ]);
    await watched.abort();
  });

  it('is polled, for it never blocks, whatever index comes with it', async () => {
    const { client, clock, watched } = await begin({ preparedQuery: true, pollMs: 4_000 });
    client.newest().reply(result([entry()]), 17);
    await settle();
    // Half of the pause is random, and chance is at its middle.
    await clock.advance(2_999);
    expect(client.calls).toHaveLength(1);
    await clock.advance(1);
    expect(client.calls).toHaveLength(2);
    expect(client.newest().query).toEqual({});
    client.newest().reply(result([entry()]), 17);
    await clock.advance(3_000);
    expect([client.calls.length, watched.snapshots.length]).toEqual([3, 1]);
    expect(watched.faults).toEqual([]);
    await watched.abort();
  });

  it('without a living target is an empty list, not an unknown service', async () => {
    const { client, watched } = await begin({ preparedQuery: true });
    client.newest().reply(result([]), 1);
    await settle();
    expect(watched.snapshots).toMatchObject([{ kind: 'instances', instances: [] }]);
    await watched.abort();
  });

  it('that is not there is the configuration’s fault', async () => {
    const { client, clock, watched } = await begin({ preparedQuery: true });
    client.newest().refuse(404, 'Query not found');
    await settle();
    expect(watched.snapshots).toEqual([]);
    expect(watched.faults[0]?.message).toContain(
      'status 404, Query not found; there is no such prepared query',
    );
    await clock.advance(29_999);
    expect(client.calls).toHaveLength(1);
    await watched.abort();
  });
});

describe('the result of a prepared query', () => {
  const parse = (body: unknown): unknown => parseNodes(Buffer.from(JSON.stringify(body)));

  it('has its entries in it', () => {
    expect(parse(result([1, { a: 2 }]))).toEqual([1, { a: 2 }]);
  });

  it.each([[], null, 'x', {}, result(null), result({})])('is nothing else: %j', (body) => {
    expect(() => parse(body)).toThrow('the reply is no result of a prepared query');
  });

  it('is JSON', () => {
    expect(() => parseNodes(Buffer.from('{"Nodes":[}'))).toThrow('the reply is no JSON');
  });
});

describe('the options of a prepared query', () => {
  it.each([
    { tags: ['v2'] },
    { tags: [] },
    { nodeMeta: {} },
    { filter: 'x' },
    { namespace: 'a' },
    { partition: 'a' },
    { peer: 'a' },
    { failover: ['dc2'] },
  ])('are not those that it would ignore: %j', (option) => {
    expectInvalidOption(
      thrownBy(() => consul({ preparedQuery: true, ...option })),
      String(Object.keys(option)[0]),
      'one',
    );
  });

  it('are all the others', () => {
    const others = {
      datacenter: 'dc2',
      near: 'n1',
      passingOnly: true,
      taggedAddress: 'wan',
      port: 'grpc',
      consistency: 'cached',
      pollMs: 5_000,
    } as const;
    const { plan, pollMs } = readOptions({ preparedQuery: true, ...others });
    expect([plan.path, plan.blocks, plan.query, pollMs]).toEqual([
      '/query/{service}/execute',
      false,
      { near: 'n1' },
      5_000,
    ]);
  });
});
