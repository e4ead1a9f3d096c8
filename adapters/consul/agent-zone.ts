import { FairleadError } from '../../src/errors.js';
import type { Clock } from '../../src/types.js';
import { checkKeys, checkString, isObject } from '../../src/validate.js';
import { AgentError, toAgentError } from './agent-error.js';
import type { ConsulContext } from './client.js';
import { connect } from './connection.js';
import { readZone, ZONE_META } from './entries.js';
import { exchange } from './exchange.js';
import { type ConsulOptions, type ConsulSettings, readOptions } from './options.js';
import { readJson } from './reply.js';
import { createSecrets } from './secrets.js';
import { currentToken } from './token.js';

/** Less than whoever asks for a zone waits, so that what is told is what went wrong here. */
const ANSWER_WITHIN_MS = 5_000;

export interface AgentZoneOptions {
  /** Base URL of the agent; a path before `/v1` and credentials are allowed. Default `http://127.0.0.1:8500`. */
  readonly url?: ConsulOptions['url'];
  /** ACL token with `agent:read`, or a function asked for it each time. Sent as a header, never shown. */
  readonly token?: ConsulOptions['token'];
  /** Key of the node's metadata that names its zone, where the agent has no locality. Default `'zone'`. */
  readonly zoneMeta?: string | undefined;
}

export interface AgentZoneSettings {
  readonly settings: ConsulSettings;
  readonly zoneMeta: string;
}

export function readAgentZoneOptions(options: unknown): AgentZoneSettings {
  const { url, token, zoneMeta } = checkKeys('', options, ['url', 'token', 'zoneMeta']);
  return {
    settings: readOptions({ url, token }),
    zoneMeta: checkString('zoneMeta', zoneMeta ?? ZONE_META),
  };
}

/** The part of the npm package `consul` that is used here. */
interface AgentClient {
  readonly agent: {
    self(query: { readonly token?: string; readonly ctx: ConsulContext }): Promise<unknown>;
  };
}

/** Asks the agent once. Rejects with what was wrong, or with the signal's reason on abort. */
export async function askAgent(
  { settings, zoneMeta }: AgentZoneSettings,
  signal: AbortSignal,
  clock: Clock,
): Promise<string | undefined> {
  const connection = await connect(settings.source);
  const client = connection.client as unknown as AgentClient; // the package's own: these options take no other
  const secrets = createSecrets(settings.secrets);
  try {
    signal.throwIfAborted();
    const send = async (ctx: ConsulContext): Promise<unknown> => {
      const token = await currentToken(settings.token, secrets);
      return client.agent.self({ ...(token === undefined ? {} : { token }), ctx });
    };
    const settled = await exchange(
      send,
      connection,
      { signal, clock },
      { deadlineMs: ANSWER_WITHIN_MS, onRefresh: () => undefined },
    );
    const { body } = readJson(settled, secrets.scrub);
    if (!isObject(body)) throw new AgentError('the reply is no JSON object', { status: 200 });
    const { DebugConfig: config, Meta: meta } = body;
    return readZone(isObject(config) ? config['Locality'] : undefined, meta, zoneMeta);
  } catch (error) {
    signal.throwIfAborted();
    const cause = toAgentError(error, secrets.scrub);
    throw new FairleadError(
      'ERR_FAIRLEAD_DISCOVERY',
      `${connection.label} did not tell its zone: ${cause.message}`,
      { cause },
    );
  } finally {
    connection.close();
  }
}
