import { AgentError } from './agent-error.js';
import type { ConsulSettings } from './options.js';
import type { Secrets } from './secrets.js';

/** The token for the next request, remembered as a secret. */
export async function currentToken(
  token: ConsulSettings['token'],
  secrets: Secrets,
): Promise<string | undefined> {
  if (typeof token !== 'function') return token;
  let given: unknown;
  try {
    given = await token();
  } catch {
    // Whatever it says may quote the token.
    throw new AgentError('the token function failed');
  }
  if (typeof given !== 'string' || given.trim() === '') {
    throw new AgentError('the token function gave no token');
  }
  secrets.add(given.trim());
  return given.trim();
}
