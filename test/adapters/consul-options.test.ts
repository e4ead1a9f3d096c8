import { describe, expect, it } from 'vitest';
import { createSecrets } from '../../adapters/consul/secrets.js';
import { consul, type ConsulLike } from '../../adapters/consul.js';
import { connect } from '../../adapters/consul/connection.js';
import { readOptions } from '../../adapters/consul/options.js';
import { isFairleadError } from '../../src/errors.js';
import { fakeConsul } from './fake-consul.js';

const stub: ConsulLike = fakeConsul();

function refusal(options: unknown): unknown {
  try {
    consul(options as object);
  } catch (error) {
    if (isFairleadError(error)) return { ...error, message: error.message };
    throw error;
  }
  throw new Error('it was accepted');
}

describe('the options of consul()', () => {
  it('are all optional', () => {
    const { agents, plan, datacenters, rules, waitMs } = readOptions({});
    const [{ source } = {}] = agents;
    expect(source !== undefined && 'url' in source && source.url.href).toBe(
      'http://127.0.0.1:8500/',
    );
    expect([agents.length, plan.query, datacenters, waitMs]).toEqual([1, {}, [undefined], 60_000]);
    expect([plan.path, plan.blocks, plan.needs]).toEqual(['/health/service/{service}', true, []]);
    expect(rules).toEqual({
      passingOnly: false,
      protocol: 'http',
      taggedAddress: undefined,
      port: undefined,
      zoneMeta: 'zone',
    });
  });

  it('become the words of Consul', () => {
    const { plan, datacenters } = readOptions({
      datacenter: 'dc2',
      tags: ['v2', 'blue'],
      nodeMeta: { rack: '7', os: 'linux' },
      near: '_agent',
      filter: 'Service.Meta.x == "1"',
    });
    expect(datacenters).toEqual(['dc2']);
    expect(plan.query).toEqual({
      tag: ['v2', 'blue'],
      'node-meta': ['rack:7', 'os:linux'],
      near: '_agent',
      filter: 'Service.Meta.x == "1"',
    });
  });

  it('may name several agents, alike but for their URLs', () => {
    const tls = { servername: 'consul' };
    const { agents } = readOptions({ urls: ['https://a', 'https://b/x'], tls, token: 's3cret' });
    expect(
      agents.map(({ source, token }) => 'url' in source && [source.url.href, source.tls, token]),
    ).toEqual([
      ['https://a/', tls, 's3cret'],
      ['https://b/x', tls, 's3cret'],
    ]);
  });

  it('may name datacenters to fail over to, also behind the agent’s own', () => {
    expect(readOptions({ failover: ['dc2', 'dc3'] }).datacenters).toEqual([
      undefined,
      'dc2',
      'dc3',
    ]);
    expect(readOptions({ datacenter: 'dc1', failover: [] }).datacenters).toEqual(['dc1']);
  });

  it.each<[object, string, unknown]>([
    [{ url: 'no url' }, 'url', 'no url'],
    [{ url: 'ftp://a' }, 'url', 'ftp://a/'],
    [{ url: 'https://a', tls: 'hunter2' }, 'tls', 'a string'],
    [{ url: 'http://a?token=hunter2' }, 'url', 'http://a/?***'],
    [{ url: 'user:hunter2@127.0.0.1:8500' }, 'url', 'a text that is not shown'],
    [{ url: 'localhost:8500/?token=hunter2' }, 'url', 'a text that is not shown'],
    [{ url: 'http://user:hunter2@a/#x' }, 'url', 'http://***@a/#***'],
    [{ url: 'http://user:%zz@a' }, 'url', 'http://***@a/'],
    [{ url: 7 }, 'url', 7],
    [{ waitMs: 999 }, 'waitMs', 999],
    [{ waitMs: 600_001 }, 'waitMs', 600_001],
    [{ waitMs: '60s' }, 'waitMs', '60s'],
    [{ tags: 'v2' }, 'tags', 'v2'],
    [{ tags: ['v2', ''] }, 'tags[1]', ''],
    [{ nodeMeta: { rack: 7 } }, 'nodeMeta.rack', 7],
    [{ passingOnly: 'yes' }, 'passingOnly', 'yes'],
    [{ consistency: 'weak' }, 'consistency', 'weak'],
    [{ urls: [] }, 'urls', []],
    [{ urls: 'http://a' }, 'urls', 'http://a'],
    [{ urls: ['http://a', 7] }, 'urls[1]', 7],
    [{ urls: ['http://a', 'http://b', 'http://u:hunter2@a/'] }, 'urls[2]', 'Consul at http://a'],
    [{ urls: ['http://a'], client: stub }, 'client', 'one'],
    [{ urls: ['https://a', 'http://b'], tls: {} }, 'tls', 'one'],
    [{ urls: ['http://a'], url: 'http://b' }, 'url', 'one'],
    [{ failover: ['dc2', 'dc2'] }, 'failover', 'dc2'],
    [{ failover: 'dc2' }, 'failover', 'dc2'],
    [{ failover: [''] }, 'failover[0]', ''],
    [{ datacenter: 'dc1', failover: ['dc2', 'dc1'] }, 'failover', 'dc1'],
    [{ namespace: '' }, 'namespace', ''],
    [{ partition: 7 }, 'partition', 7],
    [{ peer: null }, 'peer', null],
    [{ taggedAddress: '' }, 'taggedAddress', ''],
    [{ port: 8080 }, 'port', 8080],
    [{ zoneMeta: '' }, 'zoneMeta', ''],
    [{ preparedQuery: 'yes' }, 'preparedQuery', 'yes'],
    [{ nodeMeta: { 'a:b': 'c' } }, 'nodeMeta', 'a:b'],
    [{ nodeMeta: ['a'] }, 'nodeMeta', ['a']],
    [{ maxParked: 0 }, 'maxParked', 0],
    [{ maxParked: 1.5 }, 'maxParked', 1.5],
    [{ maxParked: 1_001 }, 'maxParked', 1_001],
    [{ pollMs: 10 }, 'pollMs', 10],
    [{ near: '' }, 'near', ''],
    [{ filter: 1 }, 'filter', 1],
    [{ datacenter: '' }, 'datacenter', ''],
    [{ protocol: 'a b' }, 'protocol', 'a b'],
    [{ client: {} }, 'client', {}],
    [{ client: stub, url: 'http://a' }, 'url', 'one'],
    [{ client: { health: {} } }, 'client', { health: {} }],
    [{ tls: { ca: 'nonsense' } }, 'tls', 'one'],
    [{ url: 'https://a', tls: { ca: 'x' } }, 'tls.ca', 'a string that is none'],
    [{ url: 'https://a', tls: { cert: { file: 'c' } } }, 'tls', 'one of them'],
    [{ cached: true }, 'cached', true],
  ])('are refused by name and value: %o', (options, option, value) => {
    expect(refusal(options)).toMatchObject({
      code: 'ERR_FAIRLEAD_INVALID_OPTION',
      option,
      value,
      message: expect.stringContaining(`"${option}"`) as string,
    });
  });

  it.each([{ token: 4711_0815 }, { token: ' ' }, { token: ['hunter2'] }, { token: 'hunter2€' }])(
    'never show what was given as a token: %o',
    (options) => {
      const refused = refusal(options);
      expect(refused).toMatchObject({ option: 'token' });
      expect(JSON.stringify(refused)).not.toMatch(/hunter2|47110815/);
    },
  );
});

describe('the npm client', () => {
  it('is named with its install command when it is missing', async () => {
    const missing = Object.assign(new Error('no such package'), { code: 'ERR_MODULE_NOT_FOUND' });
    await expect(
      connect({ url: new URL('http://a'), tls: undefined }, () => Promise.reject(missing)),
    ).rejects.toMatchObject({
      code: 'ERR_FAIRLEAD_MISSING_DEPENDENCY',
      message: expect.stringContaining('npm install consul'),
      cause: missing,
    });
  });

  it('of the user fits our own description of it', async () => {
    const { default: Consul } = await import('consul');
    const client: ConsulLike = new Consul();
    expect(consul({ client }).name).toBe('consul');
  });

  it.each([
    ['http://a:8500', 'Consul at http://a:8500'],
    ['https://user:hunter2@a/consul/', 'Consul at https://a/consul'],
    ['http://[::1]:8500', 'Consul at http://[::1]:8500'],
  ])('is made for %s and named without credentials', async (url, label) => {
    const connection = await connect({ url: new URL(url), tls: undefined });
    expect(connection.label).toBe(label);
    connection.close();
  });
});

describe('credentials in the URL', () => {
  it('are kept out of what others quote, as written and as an Authorization header has them', () => {
    const { agents } = readOptions({ url: 'http://user:p%40ss@127.0.0.1:8500' });
    const secrets = agents.flatMap((agent) => agent.secrets);
    const header = Buffer.from('user:p@ss').toString('base64');
    const quoted = createSecrets(secrets).scrub(`Basic ${header}, p%40ss, p@ss`);
    expect(quoted).toBe('Basic ***, ***, ***');
  });
});
