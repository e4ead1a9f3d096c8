import { readFile } from 'node:fs/promises';
import { AgentError } from './agent-error.js';
import { isSendable, type TokenSource } from './agent-options.js';
import type { Secrets } from './secrets.js';

/** The token for the next request, remembered as a secret. */
export async function currentToken(
  token: TokenSource | undefined,
  secrets: Secrets,
): Promise<string | undefined> {
  if (token === undefined || typeof token === 'string') return token;
  const what = typeof token === 'function' ? 'the token function' : 'the token file';
  let given: unknown;
  try {
    given = typeof token === 'function' ? await token() : await readFile(token.file, 'utf8');
  } catch (error) {
    // Whatever a function says may quote the token; a file's error names the file.
    const why =
      typeof token === 'function' ? '' : `: ${String((error as { code?: unknown }).code)}`;
    throw new AgentError(`${what} failed${why}`);
  }
  if (!isSendable(given)) throw new AgentError(`${what} gave no token that a header can carry`);
  secrets.add(given.trim());
  return given.trim();
}
