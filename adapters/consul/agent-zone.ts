import { FairleadError } from '../../src/errors.js';
import type { Clock } from '../../src/types.js';
import { checkKeys, checkString, isObject } from '../../src/validate.js';
import { openAgent } from './agent.js';
import { AgentError } from './agent-error.js';
import {
  AGENT_KEYS,
  type AgentOptions,
  type AgentSettings,
  readAgentOptions,
} from './agent-options.js';
import { readZone, ZONE_META } from './locality.js';
import { readJson } from './reply.js';

/** Less than whoever asks for a zone waits, so that what is told is what went wrong here. */
const ANSWER_WITHIN_MS = 5_000;

/** The token needs `agent:read`. */
export interface AgentZoneOptions extends AgentOptions {
  /** Key of the node's metadata that names its zone, where the agent has no locality. Default `'zone'`. */
  readonly zoneMeta?: string | undefined;
}

export interface AgentZoneSettings {
  readonly settings: AgentSettings;
  readonly zoneMeta: string;
}

export function readAgentZoneOptions(options: unknown): AgentZoneSettings {
  const given = checkKeys('', options, [...AGENT_KEYS, 'zoneMeta']);
  return {
    settings: readAgentOptions(given),
    zoneMeta: checkString('zoneMeta', given['zoneMeta'] ?? ZONE_META),
  };
}

/** Asks the agent once. Rejects with what was wrong, or with the signal's reason on abort. */
export async function askAgent(
  { settings, zoneMeta }: AgentZoneSettings,
  signal: AbortSignal,
  clock: Clock,
): Promise<string | undefined> {
  const agent = openAgent(settings, clock, 1);
  try {
    const reply = await agent.request(
      { path: '/agent/self', deadlineMs: ANSWER_WITHIN_MS },
      signal,
    );
    const body = readJson(reply, agent.scrub);
    if (!isObject(body)) throw new AgentError('the reply is no JSON object', { status: 200 });
    const { DebugConfig: config, Meta: meta } = body;
    return readZone(isObject(config) ? config['Locality'] : undefined, meta, zoneMeta);
  } catch (cause) {
    signal.throwIfAborted();
    throw new FairleadError(
      'ERR_FAIRLEAD_DISCOVERY',
      `${agent.label} did not tell its zone: ${(cause as Error).message}`,
      { cause },
    );
  } finally {
    agent.close();
  }
}
