/** Faults of the one agent that is read, and of what is asked of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startConsulAgent } from '../consul-agent.js';
import { exchangeOne, registerAll } from './instances.js';
import { AFTER, BEFORE, type Scene } from './scene.js';

const SERVICE = 'web';

export const AGENT_SCENES: readonly Scene[] = [
  {
    fault: 'agent SIGKILLed, begun anew: no services, a lower index',
    cause: /ECONNRESET|ECONNREFUSED|closed inside the reply|socket hang up/,
    pace: 'backoff',
    lastsMs: 3_000,
    open: {
      agent: async () => {
        const agent = await startConsulAgent();
        // Pushes the index well above that of a fresh agent.
        for (let i = 0; i < 20; i++) await agent.register({ name: 'noise', port: 9_000 + i });
        await registerAll(agent, SERVICE, BEFORE);
        return {
          service: SERVICE,
          url: agent.url,
          fairlead: {},
          npm: {},
          strike: () => agent.kill('SIGKILL'),
          async cure() {
            await agent.restart();
            // The instances find out in their own time that the agent has forgotten them.
            await sleep(2_000);
            await registerAll(agent, SERVICE, AFTER);
          },
          close: () => agent.stop(),
        };
      },
    },
  },
  {
    fault: 'agent SIGSTOPped',
    cause: /no whole reply|no answer|did not answer|does not answer|not alive|probe/,
    pace: 'backoff',
    lastsMs: 20_000,
    fullMs: 30_000,
    open: {
      agent: async () => {
        const agent = await startConsulAgent();
        await registerAll(agent, SERVICE, BEFORE);
        return {
          service: SERVICE,
          url: agent.url,
          fairlead: {},
          npm: {},
          strike: () => agent.kill('SIGSTOP'),
          async cure() {
            await agent.kill('SIGCONT');
            await exchangeOne(agent, SERVICE);
          },
          close: () => agent.stop(),
        };
      },
    },
  },
  {
    fault: 'unknown datacenter, from the start',
    cause: /datacenter/,
    pace: 'permanent',
    lastsMs: 8_000,
    fromStart: true,
    isForGood: true,
    open: { agent: () => misconfigured({ datacenter: 'nowhere' }, { dc: 'nowhere' }) },
  },
  {
    fault: 'bad filter, from the start',
    cause: /filter/,
    pace: 'permanent',
    lastsMs: 8_000,
    fromStart: true,
    isForGood: true,
    open: { agent: () => misconfigured({ filter: 'Nonsense ==' }, { filter: 'Nonsense ==' }) },
  },
];

async function misconfigured(
  fairlead: { readonly datacenter?: string; readonly filter?: string },
  npm: Readonly<Record<string, string>>,
): ReturnType<Extract<Scene['open'], { agent: unknown }>['agent']> {
  const agent = await startConsulAgent();
  await registerAll(agent, SERVICE, BEFORE);
  return {
    service: SERVICE,
    url: agent.url,
    fairlead,
    npm,
    strike: () => undefined,
    cure: () => undefined,
    close: () => agent.stop(),
  };
}
