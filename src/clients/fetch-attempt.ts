import type { AttemptContext } from '../attempt.js';
import { abortBody, follower } from './body-abort.js';
import { deadlineValue } from './deadline-header.js';
import { headersOf } from './fetch-request.js';
import { reportLoad } from './load-report.js';
import { type Fetch, type FetchInit, type FetchInput, followRedirect } from './redirect.js';
import { noteRedirect, type Redirect } from './redirected.js';
import { onInstance } from './route.js';

/** One request, as its attempts send it. */
export interface FetchSending {
  /** Names the service. */
  readonly url: URL;
  readonly input: FetchInput;
  readonly init: FetchInit;
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
  readonly send: Fetch;
  /** What becomes of a redirect: followed within the attempt, returned, or left to `init` and `send`. */
  readonly redirects: 'follow' | 'return' | 'leave';
  readonly deadlineHeader: string | undefined;
}

/** Sends to the instance of the attempt, and hears what the reply says of it. */
export async function sendAttempt(
  attempt: AttemptContext,
  sending: FetchSending,
): Promise<Response> {
  const { url, input, init, signal, send, redirects, deadlineHeader } = sending;
  const { instance } = attempt;
  const there = onInstance(url, instance);
  const request = input instanceof Request ? new Request(there, input) : there;
  const aborter = signal === undefined ? undefined : follower(attempt.signal);
  const sent: FetchInit = { ...init, signal: aborter?.signal ?? attempt.signal };
  if (redirects !== 'leave') sent.redirect = 'manual';
  const told = deadlineHeaders(attempt, sending);
  if (told !== undefined) sent.headers = told;

  const redirect: Redirect = { followed: false, left: false };
  const locate = (to: URL): URL => (to.hostname === url.hostname ? onInstance(to, instance) : to);
  const follow = async (to: URL, next: FetchInit): Promise<Response> => {
    redirect.followed = true;
    redirect.left = to.origin !== there.origin;
    if (redirect.left && told !== undefined) next.headers = without(next.headers, deadlineHeader);
    const reply = await send(to, next);
    return followRedirect(reply, { from: to, input: to, init: next, fetch: follow, locate });
  };
  const answer = async (): Promise<Response> => {
    const reply = await send(request, sent);
    if (redirects !== 'follow') return reply;
    return followRedirect(reply, {
      from: there,
      input: request,
      init: sent,
      fetch: follow,
      locate,
    });
  };
  const reply = await noteRedirect(redirect, answer());
  // Where a redirect led elsewhere, it is another server that speaks of its load.
  const isFromInstance = !reply.redirected || reply.url.startsWith(`${there.origin}/`);
  if (isFromInstance) reportLoad(attempt, reply.headers);
  // The call is over at the headers; the caller's signal must reach the body, too.
  if (signal !== undefined && aborter !== undefined) abortBody(reply, signal, aborter);
  return reply;
}

/** The request's headers with the deadline; `undefined` where none is to be told, or the request tells its own. */
function deadlineHeaders(
  attempt: AttemptContext,
  { input, init, deadlineHeader }: FetchSending,
): Headers | undefined {
  if (deadlineHeader === undefined) return undefined;
  const headers = new Headers(headersOf(input, init));
  if (headers.has(deadlineHeader)) return undefined;
  headers.set(deadlineHeader, deadlineValue(attempt));
  return headers;
}

function without(headers: FetchInit['headers'], name = ''): Headers {
  const kept = new Headers(headers);
  kept.delete(name);
  return kept;
}
