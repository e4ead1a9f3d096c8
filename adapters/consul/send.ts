import type { Clock } from '../../src/types.js';
import { isObject } from '../../src/validate.js';
import { AgentError, badStatus, type AgentReply } from './agent-error.js';
import type { AgentSettings } from './agent-options.js';
import type { Connection } from './connection.js';
import type { ConsulContext, PapiClient, PapiExchange } from './client.js';
import { exchange } from './exchange.js';
import type { Secrets } from './secrets.js';
import { currentToken } from './token.js';

export interface AgentRequest {
  /** Below `/v1`; what stands in braces is taken from `params` and encoded: `/health/service/{service}`. */
  readonly path: string;
  readonly params?: Readonly<Record<string, string>> | undefined;
  /** Default `GET`. */
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE' | undefined;
  readonly query?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** For the whole reply, body included, in ms. */
  readonly deadlineMs: number;
}

export interface SendContext {
  readonly settings: Pick<AgentSettings, 'token'>;
  readonly secrets: Secrets;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Registers what gives the request up, so that it settles with `'given-up'`; `undefined` takes it back. */
  readonly onGiveUp?: ((giveUp: (() => void) | undefined) => void) | undefined;
}

/**
 * Sends one request and settles in any case: with the reply, whatever its status; with `'given-up'`; or with an
 * error: an {@link AgentError} when no whole reply came in time, papi's when the connection failed, or the signal's
 * reason on abort.
 */
export async function send(
  request: AgentRequest,
  connection: Pick<Connection, 'client' | 'onClosed'>,
  context: SendContext,
): Promise<AgentReply | 'given-up'> {
  context.signal.throwIfAborted();
  const { client } = connection;
  const settled = await exchange(
    async (ctx) => {
      const token = await currentToken(context.settings.token, context.secrets);
      return client._request(toPapi(request, token, client, ctx), ({ err, res }, next) => {
        next(false, { err, res });
      });
    },
    connection,
    context,
    { deadlineMs: request.deadlineMs, onGiveUp: context.onGiveUp ?? (() => undefined) },
  );
  return settled === 'given-up' ? settled : toReply(settled);
}

/** As {@link send}, for a request that nobody gives up. */
export async function sendWhole(
  request: AgentRequest,
  connection: Pick<Connection, 'client' | 'onClosed'>,
  context: Omit<SendContext, 'onGiveUp'>,
): Promise<AgentReply> {
  const reply = await send(request, connection, context);
  if (reply === 'given-up') throw new AgentError('the request was given up');
  return reply;
}

/** As {@link sendWhole}: the reply, if its status is 200. */
export async function ask(
  request: AgentRequest,
  connection: Pick<Connection, 'client' | 'onClosed'>,
  context: Omit<SendContext, 'onGiveUp'>,
): Promise<AgentReply> {
  const reply = await sendWhole(request, connection, context);
  if (reply.status !== 200) throw badStatus(reply, context.secrets.scrub);
  return reply;
}

function toPapi(
  { path, params = {}, method = 'GET', query = {}, body }: AgentRequest,
  token: string | undefined,
  client: PapiClient,
  ctx: ConsulContext,
): Parameters<PapiClient['_request']>[0] {
  const { token: ownToken, query: ownQuery } = defaultsOf(client);
  const sent = token ?? ownToken;
  return {
    name: 'fairlead',
    method,
    path,
    params,
    query: { ...ownQuery, ...query },
    // Never in the query: there it would end up in access logs, and override the header.
    headers: sent === undefined ? {} : { 'x-consul-token': sent },
    ...(body === undefined ? {} : { body }),
    type: 'json',
    buffer: true,
    ctx,
  };
}

const OWN_QUERY = ['dc', 'partition', 'near', 'filter'] as const;
const OWN_FLAGS = ['wan', 'consistent', 'stale'] as const;

/** What an injected client was made to add to every request; `papi` knows nothing of it. */
function defaultsOf({ _defaults: own = {} }: PapiClient): {
  readonly token: string | undefined;
  readonly query: Readonly<Record<string, string>>;
} {
  const query: Record<string, string> = {};
  for (const name of OWN_QUERY) {
    const value = own[name];
    if (typeof value === 'string' && value !== '') query[name] = value;
  }
  for (const name of OWN_FLAGS) if (own[name] === true) query[name] = '1';
  return { token: typeof own['token'] === 'string' ? own['token'] : undefined, query };
}

/** A status that is not 2xx is an error to papi, but a reply to us. */
function toReply(settled: unknown): AgentReply {
  const { err, res } = settled as PapiExchange;
  const response = isObject(err) && err['response'] !== undefined ? err['response'] : res;
  if (err !== undefined && (!isObject(err) || err['response'] === undefined)) throw err as Error;
  if (!isObject(response) || typeof response['statusCode'] !== 'number') {
    throw new AgentError('the client gave no response');
  }
  const { statusCode: status, headers, body } = response;
  return {
    status,
    headers: isObject(headers) ? headers : {},
    body: Buffer.isBuffer(body) ? body : Buffer.alloc(0),
  };
}
