/** Faults of the replies: between the watcher and a real agent stands a proxy that spoils them. */
import { startConsulAgent } from '../consul-agent.js';
import type { HttpFaults, HttpReply, RewrittenReply } from '../../src/testing/http-proxy.js';
import { exchangeOne, registerAll } from './instances.js';
import { BEFORE, type Proxies, type Scene, type Stage } from './scene.js';

const SERVICE = 'web';

const scene = (
  fault: string,
  faults: () => HttpFaults,
  rest: Pick<Scene, 'cause' | 'lastsMs'> & Partial<Scene>,
): Scene => ({
  fault,
  pace: 'backoff',
  ...rest,
  open: {
    agent: () =>
      ownAgent((proxies) => {
        // What is no read of the service is none of the fault's: an agent that is alive says so.
        proxies.set(faults(), { match: ({ path }) => path.startsWith('/v1/health/service/') });
      }),
  },
});

async function ownAgent(strike: (proxies: Proxies) => void): Promise<Stage> {
  const agent = await startConsulAgent();
  await registerAll(agent, SERVICE, BEFORE);
  return {
    service: SERVICE,
    url: agent.url,
    fairlead: {},
    npm: {},
    strike,
    change: () => exchangeOne(agent, SERVICE),
    cure: (proxies) => {
      proxies.set();
    },
    close: () => agent.stop(),
  };
}

const rewriting = (change: (reply: HttpReply) => Partial<RewrittenReply>) => (): HttpFaults => ({
  rewrite: (reply) => ({ ...reply, ...change(reply) }),
});

/** Back and forth, and never what the agent said. */
function flapping(): HttpFaults {
  let turn = 0;
  return {
    rewrite: (reply) => ({
      ...reply,
      headers: { ...reply.headers, 'x-consul-index': String(2 + (turn++ % 2)) },
    }),
  };
}

const HTML = '<html><body>Please log in</body></html>';

export const REPLY_SCENES: readonly Scene[] = [
  scene('500 loop', () => ({ status: 500, body: 'rpc error: No cluster leader' }), {
    cause: /status 500/,
    // The text says so, and it is believed.
    pace: 'leaderless',
    lastsMs: 8_000,
  }),
  scene('429 without Retry-After', () => ({ status: 429, body: 'Your IP is issuing too many' }), {
    cause: /status 429/,
    lastsMs: 8_000,
  }),
  scene('429, Retry-After: 5', () => ({ status: 429, headers: { 'retry-after': '5' } }), {
    cause: /status 429/,
    lastsMs: 8_000,
  }),
  scene('truncated body', () => ({ truncateBytes: 100 }), {
    cause: /closed inside the reply|ECONNRESET|aborted/,
    lastsMs: 8_000,
  }),
  scene(
    'HTML body',
    rewriting(() => ({ headers: { 'content-type': 'text/html' }, body: HTML })),
    {
      cause: /text\/html/,
      lastsMs: 8_000,
    },
  ),
  scene(
    'garbage JSON',
    rewriting(() => ({ body: '[{"Node":' })),
    {
      cause: /no JSON/,
      lastsMs: 8_000,
    },
  ),
  scene(
    'missing index header',
    rewriting(({ headers }) => ({ headers: { ...headers, 'x-consul-index': undefined } })),
    { cause: /last fault: .* without X-Consul-Index/, pace: 'budget', lastsMs: 8_000 },
  ),
  scene('flapping index', flapping, {
    cause: /last fault: .* the index of .* went from \d+ back to \d+/,
    pace: 'budget',
    lastsMs: 5_000,
    runsAlone: true,
  }),
  scene('datacenter unreachable', () => ({ status: 500, body: 'No path to datacenter' }), {
    cause: /No path to datacenter/,
    pace: 'permanent',
    lastsMs: 8_000,
  }),
];
