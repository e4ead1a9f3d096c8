import { isFairleadError } from '../../src/errors.js';
import { parseRetryAfter } from '../../src/retry-after.js';
import { isObject } from '../../src/validate.js';

/**
 * Why a read gave no list. Holds text of ours and a scrubbed quote, never the response: that would carry the
 * request's headers, and so the token.
 */
export class AgentError extends Error {
  override readonly name = 'ConsulAgentError';
  readonly kind: FaultKind;
  /** HTTP status, when the agent answered at all. */
  readonly status: number | undefined;
  /** The agent asked for at least this pause, in ms. */
  readonly retryAfterMs: number | undefined;
  /** The agent found no leader, or no server: a read that asks for less may still be answered. */
  readonly leaderless: boolean;

  constructor(message: string, details: AgentErrorDetails = {}) {
    super(message);
    this.kind = details.kind ?? 'transient';
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.leaderless = details.leaderless ?? false;
  }
}

/** `busy`: the agent asks for rest; `permanent`: only another configuration helps. */
export type FaultKind = 'transient' | 'busy' | 'permanent';

interface AgentErrorDetails {
  readonly kind?: FaultKind;
  readonly status?: number;
  readonly retryAfterMs?: number | undefined;
  readonly leaderless?: boolean | undefined;
}

/** A whole reply, whatever its status. */
export interface AgentReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

/** An error of the npm client in our terms. `scrub` removes secrets from what it quotes. */
export function toAgentError(error: unknown, scrub: (text: string) => string): AgentError {
  if (error instanceof AgentError) return error;
  const text = error instanceof Error && error.message !== '' ? error.message : 'the read failed';
  const { code, reason } = isObject(error) ? error : {};
  if (typeof code === 'string' && TLS_CODE.test(code)) {
    // Of OpenSSL's errors the message is a trace through its sources.
    const why = typeof reason === 'string' && code.startsWith('ERR_SSL_') ? reason : text;
    return new AgentError(oneLine(scrub(`${why} (${code}); check the option "tls"`)));
  }
  const named = typeof code !== 'string' || text.includes(code);
  // A package that is missing, or of another version: to try again does not help.
  const kind = isFairleadError(error) ? 'permanent' : 'transient';
  return new AgentError(oneLine(scrub(named ? text : `${text} (${code})`)), { kind });
}

/** Codes of Node's TLS: handshakes, certificates (`X509_V_ERR_` of OpenSSL without the prefix), keys. */
const TLS_CODE =
  /^(ERR_(SSL|TLS|OSSL)_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_(CA|PURPOSE)$)/;

/** An answer that is not a 200. Texts as Consul 1.8 words them; later versions keep them. */
export function badStatus(reply: AgentReply, scrub: (text: string) => string): AgentError {
  const { status } = reply;
  const text = reply.body.toString('utf8', 0, QUOTABLE_BYTES);
  const quote = /^\s*</.test(text) ? '' : oneLine(scrub(text));
  const message = quote === '' ? `status ${String(status)}` : `status ${String(status)}, ${quote}`;

  if (status === 429 || status === 503) {
    const { 'retry-after': retryAfter, date } = reply.headers;
    const retryAfterMs = parseRetryAfter(retryAfter, date);
    return new AgentError(message, { kind: 'busy', status, retryAfterMs });
  }
  const hint = permanentCause(status, text);
  if (hint === undefined) {
    return new AgentError(message, { status, leaderless: status === 500 && LEADERLESS.test(text) });
  }
  return new AgentError(`${message}; ${hint}`, { kind: 'permanent', status });
}

/** How servers and client agents word it while an election is on, or no server can be reached. */
const LEADERLESS =
  /No cluster leader|No known Consul servers|leadership lost|not the leader|rpc error/i;

/** More of a body is never quoted. */
const QUOTABLE_BYTES = 2_000;

function permanentCause(status: number, text: string): string | undefined {
  if (status === 401 || status === 403) return 'check the option "token"';
  if (text.includes('No path to datacenter')) {
    return 'check the option "datacenter" (or "failover")';
  }
  if (status === 404 && text.includes('Query not found')) {
    return 'there is no such prepared query';
  }
  if (text.includes('Failed to create boolean expression evaluator')) {
    return 'check the option "filter"';
  }
  return status === 400 || status === 404 || status === 405 ? 'check the options' : undefined;
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= 200 ? line : `${line.slice(0, 197)}...`;
}
