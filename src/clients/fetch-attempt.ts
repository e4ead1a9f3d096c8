import { Readable } from 'node:stream';
import type { AttemptContext } from '../attempt-context.js';
import { abortBody, follower } from './body-abort.js';
import { deadlineValue } from './deadline-header.js';
import { InstanceDispatcher } from './fetch-instance.js';
import type { FetchDispatcher } from './fetch-below.js';
import { reportLoad } from './load-report.js';
import type { Fetch, FetchInit } from './redirect.js';
import { streamOutcome } from './response-stream.js';
import { onInstance } from './route.js';

/** One request, as its attempts send it. */
export interface FetchSending {
  /** Names the service. */
  readonly url: URL;
  readonly init: FetchInit;
  readonly send: Fetch;
  readonly deadlineHeader: string | undefined;
  /** What a TLS connection is to be for. */
  readonly servername: string;
  /** Whether `send` is told of a dispatcher. */
  readonly isNamed: boolean;
  /** That of the caller. */
  readonly dispatcher: FetchDispatcher | undefined;
}

/** By what the attempts of a call have resolved with, for that is what is judged. */
const addresses = new WeakMap<Response, URL>();

/** Where this reply came from. */
export function addressOf(reply: Response): URL | undefined {
  return addresses.get(reply);
}

/** Sends to the instance of the attempt, and hears what the reply says of it. */
export async function sendAttempt(
  attempt: AttemptContext,
  sending: FetchSending,
): Promise<Response> {
  const { url, init, send } = sending;
  const there = onInstance(url, attempt.instance);
  const signal = init.signal ?? undefined;
  const aborter = signal === undefined ? undefined : follower(attempt.signal);
  const sent: FetchInit = { ...init, signal: aborter?.signal ?? attempt.signal };
  const told = deadlineHeaders(attempt, sending);
  if (told !== undefined) sent.headers = told;
  if (sending.isNamed) {
    const dispatcher = new InstanceDispatcher(attempt, sending, there);
    sent.dispatcher = dispatcher as unknown as NonNullable<FetchInit['dispatcher']>;
  }
  const reply = await send(there.href, sent);
  reportLoad(attempt, reply.headers);
  const body: unknown = reply.body;
  if (body instanceof Readable) attempt.hold(streamOutcome(body)); // node-fetch's
  // The call is over at the headers; the caller's signal must reach the body, too.
  if (signal !== undefined && aborter !== undefined) abortBody(reply, signal, aborter);
  addresses.set(reply, there);
  return reply;
}

/** The request's headers with the deadline; `undefined` where none is to be told, or the request tells its own. */
function deadlineHeaders(
  attempt: AttemptContext,
  { init, deadlineHeader }: FetchSending,
): Headers | undefined {
  if (deadlineHeader === undefined) return undefined;
  const headers = new Headers(init.headers);
  if (headers.has(deadlineHeader)) return undefined;
  headers.set(deadlineHeader, deadlineValue(attempt));
  return headers;
}
