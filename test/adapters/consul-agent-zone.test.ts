import { describe, expect, it } from 'vitest';
import { askAgent, readAgentZoneOptions } from '../../adapters/consul/agent-zone.js';
import { agentZone, type AgentZoneOptions } from '../../adapters/consul.js';
import { isFairleadError } from '../../src/errors.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { list, poseAsAgent, silence, stuck, text, truncated } from '../integration/posing-agent.js';
import type { Answer, PosingAgent } from '../integration/posing-agent.js';
import { fakeConsul } from './fake-consul.js';
import { expectInvalidOption } from '../support/errors.js';
import { deferred, thrownBy } from '../support/promises.js';

const never = new AbortController().signal;

function ask(agent: PosingAgent, options: AgentZoneOptions = {}) {
  return agentZone({ url: agent.url, ...options })(never);
}

async function failure(asked: ReturnType<typeof ask>): Promise<Error> {
  try {
    await asked;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('it did not fail');
}

/** What an error shows in a log, its causes too. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.stack} ${JSON.stringify({ ...error })} ${told(error.cause)}`;
}

/** As Consul 1.8 answers. */
const self = (meta: unknown, config: unknown = { NodeMeta: {} }): Answer =>
  list({ Config: { NodeName: 'n1' }, DebugConfig: config, Member: { Tags: {} }, Meta: meta });

describe('the zone of an agent', () => {
  it.each<[string, unknown, unknown, string | undefined]>([
    ["is named by its node's metadata", { zone: 'a', rack: '7' }, {}, 'a'],
    ['is that of its locality first', { zone: 'a' }, { Locality: { Zone: 'b' } }, 'b'],
    ['is not an empty one', { zone: 'a' }, { Locality: { Region: 'r', Zone: '' } }, 'a'],
    ['is not of a locality that is null', { zone: 'a' }, { Locality: null }, 'a'],
    ['may be missing', { 'consul-network-segment': '' }, {}, undefined],
    ['may be missing with all metadata', null, null, undefined],
    ['is no number', { zone: 7 }, { Locality: { Zone: 7 } }, undefined],
    ['is not empty', { zone: '' }, {}, undefined],
  ])('%s', async (_what, meta, config, zone) => {
    await using agent = await poseAsAgent(self(meta, config));
    expect(await ask(agent)).toBe(zone);
    expect(agent.requests.map(({ url }) => url)).toEqual(['/v1/agent/self']);
  });

  it.each([
    ['rack', '7'],
    ['constructor', undefined],
  ])('is found under a key of the user: %s', async (zoneMeta, zone) => {
    await using agent = await poseAsAgent(self({ zone: 'a', rack: '7' }));
    expect(await ask(agent, { zoneMeta })).toBe(zone);
  });

  it('is asked for below a path', async () => {
    await using agent = await poseAsAgent(self({ zone: 'a' }));
    expect(await ask(agent, { url: `${agent.url}/proxied/` })).toBe('a');
    expect(agent.requests[0]?.url).toBe('/proxied/v1/agent/self');
  });

  it('is asked for with a client of the user', async () => {
    const client = fakeConsul();
    const zone = agentZone({ client, zoneMeta: 'rack' })(never);
    await settle();
    expect(client.newest().path).toBe('/agent/self');
    client.newest().reply({ Meta: { rack: '7' } });
    expect(await zone).toBe('7');
  });

  it('is asked for anew each time, over a socket that is closed then', async () => {
    await using agent = await poseAsAgent(self({ zone: 'a' }), self({ zone: 'b' }));
    const source = agentZone({ url: agent.url });
    expect([await source(never), await source(never)]).toEqual(['a', 'b']);
    expect(agent.connections).toBe(2);
    await agent.until(({ open }) => open === 0);
  });
});

describe('what is wrong', () => {
  it.each<[string, Answer, string]>([
    ['garbage', text(200, '{"Meta":', 'application/json'), 'the reply is no JSON'],
    ['a page', text(200, '<html>login</html>', 'text/html'), 'the reply is no JSON but text/html'],
    ['bytes', text(200, '{}', 'application/octet-stream'), 'no JSON but application/octet-stream'],
    ['a list', list([]), 'the reply is no JSON object'],
    ['truncated', truncated, 'the connection closed inside the reply'],
    ['cut before it began', (response) => response.destroy(), 'ECONNRESET'],
    ['a 403', text(403, 'Permission denied'), 'Permission denied; check the option "token"'],
    ['a 500', text(500, 'rpc error'), 'status 500, rpc error'],
    ['another success', text(204, ''), 'status 204'],
  ])('is told: a reply that is %s', async (_what, answer, message) => {
    await using agent = await poseAsAgent(answer);
    const error = await failure(ask(agent));
    expect(isFairleadError(error) && error.code).toBe('ERR_FAIRLEAD_DISCOVERY');
    expect(error.message).toContain(`Consul at ${agent.url} did not tell its zone: `);
    expect(error.message).toContain(message);
  });

  it('is told: nobody listens', async () => {
    const agent = await poseAsAgent(silence);
    await agent[Symbol.asyncDispose]();
    expect((await failure(ask(agent))).message).toContain('ECONNREFUSED');
  });

  it.each<[string, Answer]>([
    ['begin', silence],
    ['end', stuck],
  ])('is told: a reply that does not %s within 5 s', async (_what, answer) => {
    const arrived = deferred<undefined>();
    await using agent = await poseAsAgent((response, request) => {
      answer(response, request);
      arrived.resolve(undefined);
    });
    const clock = new ManualClock();
    const error = failure(askAgent(readAgentZoneOptions({ url: agent.url }), never, clock));
    await arrived.promise;
    await clock.advance(5_000);
    expect((await error).message).toContain('no whole reply within 5 s');
    expect(clock.pendingTimers).toBe(0);
    await agent.until(({ open }) => open === 0);
  });
});

describe('the signal', () => {
  it('ends the question with its reason, and frees the socket', async () => {
    const arrived = deferred<undefined>();
    await using agent = await poseAsAgent(() => arrived.resolve(undefined));
    const clock = new ManualClock();
    const controller = new AbortController();
    const reason = new Error('enough');
    const settings = readAgentZoneOptions({ url: agent.url });
    const error = failure(askAgent(settings, controller.signal, clock));
    await arrived.promise;
    controller.abort(reason);
    expect(await error).toBe(reason);
    expect(clock.pendingTimers).toBe(0);
    await agent.until(({ open }) => open === 0);
  });

  it('that has ended already keeps it from being asked', async () => {
    await using agent = await poseAsAgent(self({ zone: 'a' }));
    const reason = new Error('enough');
    const source = agentZone({ url: agent.url });
    expect(await failure(source(AbortSignal.abort(reason)))).toBe(reason);
    expect(agent.requests).toEqual([]);
  });
});

describe('the token', () => {
  const echo: Answer = (response, request) =>
    text(500, `unlucky ${String(request.headers['x-consul-token'])}`)(response, request);

  it.each<[string, AgentZoneOptions['token']]>([
    ['given', ' hunter2-hunter2 '],
    ['asked for', () => Promise.resolve('hunter2-hunter2')],
  ])('%s goes as a header and comes back in no error', async (_how, token) => {
    await using agent = await poseAsAgent(self({ zone: 'a' }), echo);
    expect(await ask(agent, { token })).toBe('a');
    expect(agent.requests[0]).toMatchObject({
      url: '/v1/agent/self',
      headers: { 'x-consul-token': 'hunter2-hunter2' },
    });
    const error = await failure(ask(agent, { token }));
    expect(error.message).toContain('unlucky ***');
    expect(told(error)).not.toContain('hunter2');
  });

  it.each<[string, () => string, string]>([
    ['fails', () => thrower(), 'the token function failed'],
    ['gives none', () => ' ', 'the token function gave no token'],
  ])('of a function that %s is told of without it', async (_what, token, message) => {
    await using agent = await poseAsAgent(self({ zone: 'a' }));
    const error = await failure(ask(agent, { token }));
    expect(error.message).toContain(message);
    expect(told(error)).not.toContain('hunter2');
    expect(agent.requests).toEqual([]);
  });

  it('and the password of the URL are in no error either', async () => {
    await using agent = await poseAsAgent(text(500, 'no entry for hunter2'));
    const error = await failure(ask(agent, { url: agent.url.replace('//', '//user:hunter2@') }));
    expect(agent.requests[0]?.headers.authorization).toMatch(/^Basic /);
    expect(error.message).toContain(`Consul at ${agent.url} did not`);
    expect(told(error)).not.toContain('hunter2');
  });

  function thrower(): never {
    throw new Error('hunter2');
  }
});

describe('the options', () => {
  it.each<[object, string, unknown]>([
    [{ url: 'no url' }, 'url', 'no url'],
    [{ zoneMeta: '' }, 'zoneMeta', ''],
    [{ zoneMeta: 7 }, 'zoneMeta', 7],
    [{ token: ' ' }, 'token', 'another string'],
    [{ waitMs: 1_000 }, 'waitMs', 1_000],
    [{ client: {} }, 'client', {}],
    [{ client: fakeConsul(), url: 'http://a' }, 'url', 'one'],
  ])('are refused by name and value: %o', (options, option, value) => {
    expectInvalidOption(
      thrownBy(() => agentZone(options)),
      option,
      value,
    );
  });

  it('may all be left out', () => {
    const { settings, zoneMeta } = readAgentZoneOptions({});
    const { source } = settings;
    expect(['url' in source && source.url.href, zoneMeta]).toEqual([
      'http://127.0.0.1:8500/',
      'zone',
    ]);
    expect(agentZone()).toBeTypeOf('function');
  });
});
