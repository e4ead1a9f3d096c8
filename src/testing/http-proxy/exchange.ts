import { type IncomingMessage, request as askServer, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../types.js';
import { reset } from '../tcp-proxy/pipe.js';
import { type HttpFaults, type HttpReply, ownReply, type RewrittenReply } from './faults.js';

/** What an exchange knows of its proxy. */
export interface ExchangeScene {
  readonly target: { readonly host: string; readonly port: number };
  readonly clock: Clock;
  /** The faults that hold for this request now. */
  readonly faultsNow: () => HttpFaults;
  /** Resolves when others are set; rejects on abort. */
  readonly changed: (signal: AbortSignal) => Promise<void>;
  /** The client is about to see this status. */
  readonly answering: (status: number) => void;
  /** A function of the test's own threw this. */
  readonly threw: (error: unknown) => void;
}

/** A function of the test's own threw. */
class Thrown extends Error {}

/**
 * One request on its way to the target and its reply on its way back. The faults that count are those set when the
 * request comes, and again those set when the reply does. What goes wrong on the target's side shows to the client as a
 * connection that is reset.
 */
export async function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  scene: ExchangeScene,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => {
    gone.abort();
  });
  try {
    const onRequest = await released(scene, gone.signal);
    if (onRequest.status !== undefined) {
      await answer(ownReply(onRequest), onRequest, response, scene, gone.signal);
      return;
    }
    const reply = await ask(request, scene.target, gone.signal);
    const onReply = await released(scene, gone.signal);
    const spoilt = await spoil(reply, onReply);
    if (spoilt === undefined) await passOn(reply, onReply, response, scene, gone.signal);
    else await answer(spoilt, onReply, response, scene, gone.signal);
  } catch (error) {
    if (error instanceof Thrown) scene.threw(error.cause);
    if (!request.socket.destroyed) reset(request.socket);
  }
}

/** The faults that hold once none of them is `hang`. */
async function released(scene: ExchangeScene, signal: AbortSignal): Promise<HttpFaults> {
  for (;;) {
    const faults = ofTest(() => scene.faultsNow());
    if (faults.hang !== true) return faults;
    await scene.changed(signal);
  }
}

/** The reply in place of the target's; `undefined`: that one will do. */
async function spoil(
  reply: IncomingMessage,
  faults: HttpFaults,
): Promise<RewrittenReply | undefined> {
  if (faults.status !== undefined) {
    reply.destroy();
    return ownReply(faults);
  }
  const { rewrite } = faults;
  if (rewrite === undefined && faults.truncateBytes === undefined) return undefined;
  const whole = await readWhole(reply);
  return rewrite === undefined ? whole : ofTest(() => ({ ...whole, ...rewrite(whole) }));
}

function ofTest<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw new Thrown('', { cause: error });
  }
}

function ask(
  request: IncomingMessage,
  target: ExchangeScene['target'],
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, url: path } = request;
    const headers = {
      ...without(request.headers, [...OF_ONE_LINK, 'expect']),
      host: `${target.host}:${String(target.port)}`,
    };
    // A connection of its own: none that the target has closed meanwhile is ever used again.
    const asked = askServer({ ...target, method, path, headers, signal, agent: false });
    asked.on('error', reject);
    asked.once('response', resolve);
    request.pipe(asked);
  });
}

async function readWhole(reply: IncomingMessage): Promise<HttpReply> {
  const chunks: Buffer[] = [];
  for await (const chunk of reply) chunks.push(chunk as Buffer);
  const headers = without(reply.headers, OF_ONE_LINK);
  return { status: reply.statusCode ?? 0, headers, body: Buffer.concat(chunks) };
}

/** As it comes: a body that trickles does so for the client, too. */
async function passOn(
  reply: IncomingMessage,
  { delayMs }: HttpFaults,
  response: ServerResponse,
  { clock, answering }: ExchangeScene,
  signal: AbortSignal,
): Promise<void> {
  await delay(clock, delayMs, signal);
  const status = reply.statusCode ?? 0;
  answering(status);
  response.sendDate = false;
  response.writeHead(
    status,
    reply.statusMessage ?? '',
    without(reply.headers, [...OF_ONE_LINK, 'transfer-encoding']),
  );
  response.flushHeaders();
  await pipeline(reply, response);
}

async function answer(
  { status, headers, body }: RewrittenReply,
  { delayMs, truncateBytes = Infinity }: HttpFaults,
  response: ServerResponse,
  { clock, answering }: ExchangeScene,
  signal: AbortSignal,
): Promise<void> {
  await delay(clock, delayMs, signal);
  const whole = Buffer.from(body as string);
  response.sendDate = false;
  ofTest(() =>
    response.writeHead(status, {
      ...mutable(without(headers, ['transfer-encoding', 'content-length'])),
      ...(isBodiless(status) ? {} : { 'content-length': whole.length }),
    }),
  );
  answering(status);
  if (whole.length <= truncateBytes) {
    response.end(whole);
    return;
  }
  response.flushHeaders();
  await new Promise((resolve) => response.write(whole.subarray(0, truncateBytes), resolve));
  response.destroy();
}

async function delay(clock: Clock, ms = 0, signal: AbortSignal): Promise<void> {
  if (ms > 0) await clock.sleep(ms, signal);
}

function isBodiless(status: number): boolean {
  return status === 204 || status === 304;
}

/** Headers that concern one connection rather than the message. */
const OF_ONE_LINK = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade'];

function without<T>(
  headers: Readonly<Record<string, T | undefined>>,
  names: readonly string[],
): Record<string, T> {
  const kept: Record<string, T> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !names.includes(name.toLowerCase())) kept[name] = value;
  }
  return kept;
}

function mutable(
  headers: Record<string, string | readonly string[]>,
): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : [...value],
    ]),
  );
}
