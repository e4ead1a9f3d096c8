import { isObject } from '../../src/validate.js';
import { AgentError } from './agent-error.js';
import type { AgentNeed } from './read-plan.js';

/**
 * Checks that an agent understands the options it needs to: others would ignore the parameters silently, and answer
 * for the wrong instances.
 *
 * @param request gives the JSON of a 200 to a GET of a path below `/v1`, and rejects with an {@link AgentError}.
 * @throws {AgentError} a permanent one naming the option, what it needs and what the agent is, also when the token
 *   does not allow to ask what it is; else whatever `request` rejected with.
 */
export async function checkNeeds(
  needs: readonly AgentNeed[],
  request: (path: string) => Promise<unknown>,
): Promise<void> {
  const [first] = needs;
  if (first === undefined) return;
  const agent = await askEdition(first, request);
  for (const need of needs) {
    if (suffices(agent, need)) continue;
    throw new AgentError(`${wordsOf(need)}; this agent is ${nameOf(agent)}`, { kind: 'permanent' });
  }
}

interface Edition {
  readonly version: readonly number[];
  readonly enterprise: boolean;
}

async function askEdition(
  need: AgentNeed,
  request: (path: string) => Promise<unknown>,
): Promise<Edition> {
  let self: unknown;
  try {
    self = await request('/agent/self');
  } catch (error) {
    if (!(error instanceof AgentError) || error.status !== 403) throw error;
    throw new AgentError(
      `${wordsOf(need)}, and the token may not ask the agent for its version (agent:read): ${error.message}`,
      { kind: 'permanent', status: 403 },
    );
  }
  const config = isObject(self) ? self['Config'] : undefined;
  const edition = parseEdition(isObject(config) ? config['Version'] : undefined);
  if (edition !== undefined) return edition;
  throw new AgentError(`${wordsOf(need)}, and the agent does not tell its version`, {
    kind: 'permanent',
  });
}

/**
 * Consul writes `1.8.7`, `1.14.0-beta1`, `1.15.2+ent`, `1.18.4-rc1+ent.fips1402`. A version before the release counts as
 * the release: what it brings is in it already.
 */
function parseEdition(version: unknown): Edition | undefined {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(.*)$/.exec(typeof version === 'string' ? version : '');
  if (match === null) return undefined;
  const [, major, minor, patch, suffix = ''] = match;
  return {
    version: [major, minor, patch].map(Number),
    enterprise: /\+ent\b/.test(suffix),
  };
}

function suffices(agent: Edition, { since, enterprise }: AgentNeed): boolean {
  if (enterprise && !agent.enterprise) return false;
  const wanted = since.split('.').map(Number);
  for (const [i, number] of wanted.entries()) {
    const has = agent.version[i] ?? 0;
    if (has !== number) return has > number;
  }
  return true;
}

function wordsOf({ option, since, enterprise }: AgentNeed): string {
  return `the option "${option}" needs Consul ${enterprise ? 'Enterprise ' : ''}${since} or later`;
}

function nameOf({ version, enterprise }: Edition): string {
  return `Consul ${enterprise ? 'Enterprise ' : ''}${version.join('.')}`;
}
