import type { AgentApi } from '../consul/agent-api.js';
import { askForJson } from '../consul/cluster-request.js';

/** The letter by which a scene names an instance. Consul's own id holds the service, too: it is one per agent. */
export function letterOf(id: string): string {
  return id.slice(id.lastIndexOf('-') + 1);
}

export function idOf(service: string, letter: string): string {
  return `${service}-${letter}`;
}

export function portOf(letter: string): number {
  return 8_000 + (letter.codePointAt(0) ?? 0);
}

/** Registers these instances, each with a check that is passed once: an agent that restarts remembers only that. */
export async function registerAll(
  agent: Pick<AgentApi, 'register' | 'passCheck'>,
  service: string,
  letters: readonly string[],
): Promise<void> {
  for (const letter of letters) {
    const id = idOf(service, letter);
    await agent.register({ name: service, id, port: portOf(letter) });
    await agent.passCheck(id);
  }
}

/** `c` goes and `d` comes, in two steps of which none leaves less than two. */
export async function exchangeOne(agent: AgentApi, service: string): Promise<void> {
  await registerAll(agent, service, ['d']);
  await agent.deregister(idOf(service, 'c'));
}

/** What the agent itself gives now; `undefined` while it gives nothing. */
export async function instancesAt(
  url: string,
  service: string,
  token: string | undefined,
): Promise<readonly string[] | undefined> {
  try {
    const entries = await askForJson<readonly { readonly Service: { readonly ID: string } }[]>(
      url,
      `/v1/health/service/${service}?passing=1`,
      { token, timeoutMs: 1_000 },
    );
    return entries.map(({ Service }) => letterOf(Service.ID)).sort();
  } catch {
    return undefined;
  }
}
