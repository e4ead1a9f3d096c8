import { describe, expect, it } from 'vitest';
import { AgentError } from '../../adapters/consul/agent-error.js';
import { readOptions } from '../../adapters/consul/options.js';
import { checkNeeds } from '../../adapters/consul/version.js';

/** What comes of an option with an agent of this version: `'fine'`, or the error. */
async function check(options: object, self: unknown): Promise<unknown> {
  const asked: string[] = [];
  try {
    await checkNeeds(readOptions(options).plan.needs, (path) => {
      asked.push(path);
      return self instanceof Error ? Promise.reject(self) : Promise.resolve(self);
    });
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const { kind, status, message } = error;
    return { kind, status, message, asked };
  }
  return asked.length === 0 ? 'not asked' : 'fine';
}

const agent = (version: unknown): unknown => ({ Config: { Version: version }, Member: {} });

describe('what an agent has to be', () => {
  it.each([
    [{ namespace: 'a' }, '1.7.0+ent'],
    [{ namespace: 'a' }, '1.22.0+ent'],
    [{ namespace: 'a' }, '1.18.4+ent.fips1402'],
    [{ namespace: 'a' }, '2.0.0-rc1+ent'],
    [{ partition: 'a' }, '1.11.0+ent'],
    [{ partition: 'a', namespace: 'b' }, '1.11.3+ent'],
    [{ peer: 'east' }, '1.14.0'],
    [{ peer: 'east' }, '1.14.0-beta1'],
    [{ peer: 'east' }, '1.14.0-dev'],
    [{ peer: 'east' }, '1.15.10+ent'],
    [{ peer: 'east' }, '1.21.0+fips1402'],
    [{ peer: 'east' }, 'v1.22.3'],
  ])('%o suits %s', async (options, version) => {
    expect(await check(options, agent(version))).toBe('fine');
  });

  it.each([
    [
      { namespace: 'a' },
      '1.8.7',
      'the option "namespace" needs Consul Enterprise 1.7.0 or later; this agent is Consul 1.8.7',
    ],
    [
      { namespace: 'a' },
      '1.22.0+fips1402',
      'the option "namespace" needs Consul Enterprise 1.7.0 or later; this agent is Consul 1.22.0',
    ],
    [
      { namespace: 'a' },
      '1.6.9+ent',
      'the option "namespace" needs Consul Enterprise 1.7.0 or later; this agent is Consul Enterprise 1.6.9',
    ],
    [
      { partition: 'a', namespace: 'b' },
      '1.10.12+ent',
      'the option "partition" needs Consul Enterprise 1.11.0 or later; this agent is Consul Enterprise 1.10.12',
    ],
    [
      { peer: 'east' },
      '1.13.9',
      'the option "peer" needs Consul 1.14.0 or later; this agent is Consul 1.13.9',
    ],
    [
      { peer: 'east' },
      '0.99.0',
      'the option "peer" needs Consul 1.14.0 or later; this agent is Consul 0.99.0',
    ],
  ])('%o does not suit %s', async (options, version, message) => {
    expect(await check(options, agent(version))).toMatchObject({
      kind: 'permanent',
      message,
      asked: ['/agent/self'],
    });
  });

  it('is not asked for without need', async () => {
    expect(await check({ tags: ['v2'] }, new Error('never'))).toBe('not asked');
  });
});

describe('an agent whose version cannot be read', () => {
  it.each([undefined, null, [], {}, agent(undefined), agent(14), agent('unknown'), { Config: [] }])(
    'is refused: %j',
    async (self) => {
      expect(await check({ peer: 'east' }, self)).toMatchObject({
        kind: 'permanent',
        message:
          'the option "peer" needs Consul 1.14.0 or later, and the agent does not tell its version',
      });
    },
  );

  it('is refused, for the token must be given a right', async () => {
    const refusal = new AgentError('status 403, Permission denied', {
      kind: 'permanent',
      status: 403,
    });
    expect(await check({ peer: 'east' }, refusal)).toMatchObject({
      kind: 'permanent',
      status: 403,
      message:
        'the option "peer" needs Consul 1.14.0 or later, and the token may not ask the agent for its version (agent:read): status 403, Permission denied',
    });
  });

  it('may be away for now only', async () => {
    const away = new AgentError('ECONNREFUSED');
    expect(await check({ peer: 'east' }, away)).toMatchObject({
      kind: 'transient',
      message: 'ECONNREFUSED',
    });
  });
});

describe('in a query', () => {
  it('they have the names of Consul', () => {
    const { plan } = readOptions({ namespace: 'a', partition: 'b', peer: 'c', tags: ['v2'] });
    expect(plan.query).toEqual({ ns: 'a', partition: 'b', peer: 'c', tag: ['v2'] });
  });
});
