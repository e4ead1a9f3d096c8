import { PassThrough } from 'node:stream';
import { expect, it, describe } from 'vitest';
import { serviceDispatch } from '../../src/clients/dispatch/dispatcher.js';
import type { OlderHandler } from '../../src/clients/dispatch/types.js';
import { resolveWrapping } from '../../src/clients/wrap-options.js';
import { attemptsOf } from '../../src/index.js';
import { settle } from '../../src/testing/manual-clock.js';
import { type Rig, rig, row } from '../support/fixtures.js';
import { type Attempted, dispatching, type Told, telling } from './dispatch-rig.js';

const refused = (): Error =>
  Object.assign(new Error('refused'), { code: 'ECONNREFUSED', syscall: 'connect' });
const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

/** A request that was sent; its first attempt is under way. */
async function sent(style: 'older' | 'newer', options = {}, clientOptions = {}) {
  const { client, clock }: Rig = await rig(['a', 'b', 'c'], {
    policy: 'round-robin',
    breaker: false,
    ...clientOptions,
  });
  const { attempts, send } = dispatching(client);
  const told: Told = telling(style);
  await send(told, options);
  const at = (i: number): Attempted => {
    const attempt = attempts[i];
    if (attempt === undefined) throw new Error(`no attempt ${String(i)}`);
    return attempt;
  };
  const inFlight = (): number =>
    ['a', 'b', 'c'].reduce((sum, id) => sum + row(client, id).pending, 0);
  return { client, clock, attempts, at, told, inFlight };
}

/** Where a first attempt may be hedged its answer is not handed over before the call knows that it is the one. */
const KEEPING = { hedge: {} };

describe.each(['older', 'newer'] as const)('a listener of the %s style', (style) => {
  it('is told of an answer in order, the trailers last, and the attempt has ended then', async () => {
    const { at, told, inFlight } = await sent(style);
    expect(inFlight()).toBe(1);
    at(0).start();
    at(0).head(103);
    at(0).head(200);
    at(0).data('1');
    await settle();
    at(0).data('2');
    expect(inFlight()).toBe(1);
    at(0).end({ sum: 'x' });
    await settle();
    expect(told.log).toEqual(['start', 'head 103', 'head 200', 'data 1', 'data 2', 'end']);
    expect(inFlight()).toBe(0);
  });

  it('is told nothing of an answer that is repeated elsewhere', async () => {
    const { at, told, clock, attempts, inFlight } = await sent(style);
    at(0).start();
    at(0).head(103);
    at(0).head(503);
    at(0).data('busy');
    await settle();
    await clock.advance(1_000);
    expect(attempts).toHaveLength(2);
    expect(at(0).aborts).toHaveLength(1); // its connection is not waited for
    at(1).start();
    at(1).head(200);
    at(1).end();
    await settle();
    expect(told.log).toEqual(['start', 'head 200', 'end']);
    expect(inFlight()).toBe(0);
  });

  it('makes the instance wait when it wants no more, and loses nothing', async () => {
    const { at, told } = await sent(style);
    told.wants = false;
    at(0).start();
    at(0).head(200);
    expect(told.log).toEqual(['start', 'head 200']);
    expect(at(0).paused).toBe(true);
    at(0).data('1'); // all the same
    expect(at(0).paused).toBe(true);
    expect(told.log).toHaveLength(2);
    told.resume();
    expect(told.log.slice(2)).toEqual(['data 1']);
    expect(at(0).resumed).toBe(1);
    at(0).data('2');
    at(0).end();
    expect(told.log.slice(3)).toEqual(['data 2', 'end']);
  });

  it('lets no more than 64 KiB come before it is known who reads it', async () => {
    const { at, told } = await sent(style, {}, KEEPING);
    at(0).start();
    at(0).head(200);
    at(0).data('x'.repeat(65_535));
    expect(at(0).paused).toBe(false);
    at(0).data('x');
    expect(at(0).paused).toBe(true);
    await settle();
    expect(told.log).toHaveLength(4);
    expect(at(0).resumed).toBe(1);
  });

  it.each(['start', 'head 200', 'data 1'])(
    'is told its own error when it throws at %s',
    async (at1) => {
      const { at, told, inFlight, client } = await sent(style);
      told.throwsAt = at1;
      if (at1 === 'start') {
        const { send } = dispatching(client);
        const again = telling(style);
        again.throwsAt = at1;
        await send(again);
        expect(again.log).toEqual(['start', 'error']);
        expect(String(again.errors[0])).toContain('thrown at start');
        return;
      }
      at(0).start();
      at(0).head(200);
      at(0).data('1');
      await settle();
      expect(told.log.at(-1)).toBe('error');
      expect(told.log.filter((what) => what === 'error' || what === 'end')).toHaveLength(1);
      expect(String(told.errors[0])).toContain(`thrown at ${at1}`);
      expect(at(0).aborts).toHaveLength(1);
      expect(inFlight()).toBe(0);
      expect(['a', 'b', 'c'].every((id) => row(client, id).successRatio === 1)).toBe(true);
    },
  );

  it('is told the reason of its abort, at whichever stage', async () => {
    const reason = new Error('enough');
    const waiting = await sent(style);
    waiting.told.abort(reason);
    await settle();
    expect(waiting.told.errors).toEqual([reason]);
    waiting.at(0).start(); // its turn comes late
    expect(waiting.at(0).aborts).toEqual([reason]);

    const under = await sent(style);
    under.at(0).start();
    under.told.abort(reason);
    await settle();
    expect(under.at(0).aborts).toEqual([reason]);
    expect(under.told.log).toEqual(['start', 'error']);

    const body = await sent(style);
    body.at(0).start();
    body.at(0).head(200);
    await settle();
    body.told.abort(reason);
    expect(body.at(0).aborts).toEqual([reason]);
    expect(body.told.log).toEqual(['start', 'head 200', 'error']);
    await settle();
    expect(body.inFlight()).toBe(0);

    const between = await sent(style);
    between.at(0).start();
    between.at(0).fail(reset());
    await settle();
    between.told.abort(reason);
    await settle();
    expect(between.told.errors).toEqual([reason]);
    await between.clock.advance(60_000);
    expect(between.attempts).toHaveLength(1);

    const come = await sent(style, {}, KEEPING);
    come.at(0).start();
    come.at(0).head(200);
    come.at(0).end();
    come.told.abort(reason); // all has come, but is not told yet
    await settle();
    expect(come.told.errors).toEqual([reason]);
    expect(come.told.log).toEqual(['start', 'error']);

    const over = await sent(style);
    over.at(0).start();
    over.at(0).head(200);
    over.at(0).end();
    await settle();
    over.told.abort(reason);
    expect(over.told.log).toEqual(['start', 'head 200', 'end']);
  });

  it('is given undici’s own error for an abort without a reason', async () => {
    const { told } = await sent(style);
    told.abort();
    await settle();
    expect(told.errors[0]).toMatchObject({ name: 'AbortError', code: 'UND_ERR_ABORTED' });
  });

  it('hears nothing of an answer that comes after the attempt’s time', async () => {
    const { at, told, clock, attempts } = await sent(style, {
      fairlead: { attemptTimeoutMs: 100 },
    });
    at(0).start();
    for (let ms = 0; attempts.length < 2 && ms < 1_000; ms += 10) await clock.advance(10);
    expect(at(0).aborts).toHaveLength(1);
    expect(attempts).toHaveLength(2);
    at(0).head(200);
    at(0).data('late');
    at(0).end();
    at(1).start();
    at(1).head(201);
    at(1).end();
    await settle();
    expect(told.log).toEqual(['start', 'head 201', 'end']);
  });

  it('is told what is wrong with its options, and nothing is thrown', async () => {
    const { client, told } = await sent(style);
    const { attempts, send } = dispatching(client, { strict: true });
    for (const [options, code] of [
      [{ origin: 'http://elsewhere' }, 'ERR_FAIRLEAD_UNKNOWN_HOST'],
      [{ fairlead: { timeoutMS: 1 } }, 'ERR_FAIRLEAD_INVALID_OPTION'],
      [{ fairlead: { timeoutMs: -1 } }, 'ERR_FAIRLEAD_INVALID_OPTION'],
      [{ fairlead: null }, 'ERR_FAIRLEAD_INVALID_OPTION'],
    ] as const) {
      const listener = telling(style);
      await send(listener, options as never);
      expect(listener.errors).toMatchObject([{ code }]);
    }
    expect(attempts).toHaveLength(0);
    expect(told.errors).toEqual([]);
  });

  it('sends a POST elsewhere that was given to no connection in time, and never there', async () => {
    const options = { method: 'POST', body: 'x' };
    const { at, told, clock, attempts } = await sent(style, options, { attemptTimeoutMs: 50 });
    await clock.advance(50);
    await clock.advance(25); // the longest pause before a first retry
    expect(attempts).toHaveLength(2);
    expect(at(1).options.origin).not.toBe(at(0).options.origin);
    at(0).start();
    expect(at(0).aborts).toHaveLength(1);
    at(1).start();
    at(1).head(200);
    at(1).end();
    await settle();
    expect(told.log).toEqual(['start', 'head 200', 'end']);
  });

  it.each<[string, () => unknown, boolean]>([
    ['was given to one', () => 'x', true],
    [
      'has a stream for a body, which the one that waits would destroy',
      () => new PassThrough(),
      false,
    ],
  ])('fails with the timeout of a POST that %s', async (_what, body, isGiven) => {
    const options = { method: 'POST', body: body() };
    const { at, told, clock, attempts } = await sent(style, options, { attemptTimeoutMs: 50 });
    if (isGiven) at(0).start();
    await clock.advance(60_000);
    expect(attempts).toHaveLength(1);
    expect(told.errors).toMatchObject([{ code: 'ERR_FAIRLEAD_ATTEMPT_TIMEOUT' }]);
  });

  it('fails with the last error, and the story of the attempts', async () => {
    const { at, told, clock } = await sent(style, {}, { retry: { maxAttempts: 2 } });
    const last = reset();
    at(0).start();
    at(0).fail(reset());
    await clock.advance(1_000);
    at(1).start();
    at(1).fail(last);
    await settle();
    expect(told.errors).toEqual([last]);
    expect(attemptsOf(last)).toHaveLength(2);
  });
});

it('repeats a POST that was never given to a connection, whatever the error, and no other', async () => {
  const unsent = await sent('older', { method: 'POST', body: 'x' });
  unsent.at(0).fail(reset());
  await settle();
  expect(unsent.attempts).toHaveLength(2);
  unsent.at(1).start();
  unsent.at(1).fail(refused()); // as a proxy on the way may say
  await settle();
  const again = await sent('older', { method: 'POST', body: 'x' });
  again.at(0).start();
  again.at(0).fail(reset());
  await again.clock.advance(60_000);
  expect(again.attempts).toHaveLength(1);
  expect(again.told.log).toEqual(['start', 'error']);
});

it('sends a stream once, but to another instance while nothing was sent', async () => {
  const body = new PassThrough();
  const { at, attempts, told } = await sent('older', { method: 'PUT', body });
  at(0).fail(refused());
  await settle();
  expect(attempts).toHaveLength(2);
  expect(at(1).options.body).toBe(body);
  at(1).start();
  at(1).fail(reset());
  await settle();
  expect(attempts).toHaveLength(2);
  expect(told.log).toEqual(['start', 'error']);
});

it('calls a function for the body of each attempt', async () => {
  let calls = 0;
  const body = (): string => `body ${String(++calls)}`;
  const { at, clock } = await sent('older', { method: 'PUT', body });
  at(0).start();
  at(0).fail(reset());
  await clock.advance(1_000);
  expect([at(0).options.body, at(1).options.body]).toEqual(['body 1', 'body 2']);
});

it.each(['text', Buffer.from('bytes'), new Blob(['blob']), new FormData(), [Buffer.from('a')]])(
  'sends the same body again: %s',
  async (body) => {
    const { at, clock } = await sent('older', { method: 'PUT', body });
    at(0).start();
    at(0).fail(reset());
    await clock.advance(1_000);
    expect(at(1).options.body).toBe(body);
  },
);

it('keeps what it reads of an iterated body, for the next attempt, and closes it at the end', async () => {
  let closed = 0;
  async function* chunks(): AsyncGenerator<string> {
    try {
      yield 'a';
      yield 'b';
    } finally {
      closed++;
      await Promise.resolve();
    }
  }
  const { at, clock, told } = await sent('older', {
    method: 'PUT',
    body: chunks(),
    headers: { 'content-length': '2' },
  });
  const read = async (i: number, upTo = Infinity): Promise<string> => {
    let text = '';
    for await (const chunk of at(i).options.body as AsyncIterable<string>) {
      text += chunk;
      if (text.length >= upTo) break;
    }
    return text;
  };
  at(0).start();
  expect(await read(0, 1)).toBe('a');
  expect(closed).toBe(0);
  at(0).fail(reset());
  await clock.advance(1_000);
  at(1).start();
  expect(await read(1)).toBe('ab');
  expect(closed).toBe(1);
  at(1).head(200);
  at(1).end();
  await settle();
  expect(told.log.at(-1)).toBe('end');
});

it('closes a body nobody will read, and blames no instance for one that cannot be read', async () => {
  let closed = 0;
  const body = {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.reject(new Error('no such file')),
      return: () => {
        closed++;
        return Promise.resolve({ done: true as const, value: undefined });
      },
    }),
  };
  const options = { method: 'PUT', body, headers: ['content-length', '2'] };
  const unread = await sent('older', options);
  unread.told.abort();
  await settle();
  expect(closed).toBe(1);

  const broken = await sent('older', options);
  broken.at(0).start();
  const given = broken.at(0).options.body as AsyncIterable<unknown>;
  const error: unknown = await given[Symbol.asyncIterator]()
    .next()
    .catch((e: unknown) => e);
  broken.at(0).fail(error);
  await broken.clock.advance(60_000);
  expect(broken.attempts).toHaveLength(1);
  expect(broken.told.errors).toEqual([error]);
});

it('hedges with the same body; the loser is aborted and the answer is one', async () => {
  const { at, told, clock, attempts, inFlight } = await sent(
    'older',
    { method: 'PUT', body: 'x' },
    { hedge: { delayMs: 50, maxRatio: 1 } },
  );
  at(0).start();
  await clock.advance(50);
  expect(attempts).toHaveLength(2);
  at(1).start();
  at(1).head(200);
  at(1).end();
  await settle();
  expect(at(0).aborts).toHaveLength(1);
  expect(told.log).toEqual(['start', 'head 200', 'end']);
  expect(inFlight()).toBe(0);
});

it('holds the attempt until an upgraded socket closes, also when nobody takes it', async () => {
  const taken = await sent('older', { upgrade: 'websocket' });
  const socket = new PassThrough();
  taken.at(0).start();
  taken.at(0).handler.onUpgrade?.(101, [], socket);
  await settle();
  expect(taken.told.log).toEqual(['start', 'upgrade 101']);
  expect(taken.inFlight()).toBe(1);
  socket.destroy();
  await new Promise((resolve) => socket.once('close', resolve));
  await settle();
  expect(taken.inFlight()).toBe(0);

  const left = await sent('older', { upgrade: 'websocket' }, KEEPING);
  const unwanted = new PassThrough();
  left.at(0).start();
  left.at(0).handler.onUpgrade?.(101, [], unwanted);
  left.told.abort(new Error('enough'));
  await settle();
  expect(left.told.log).toEqual(['start', 'error']);
  expect(unwanted.destroyed).toBe(true);
  expect(left.inFlight()).toBe(0);
});

it('frees its turn on a connection instead of closing it, where that is told by throwing', async () => {
  const { client } = await rig(['a']);
  const { attempts, send } = dispatching(client, {}, { takesThrow: true });
  const told = telling('older');
  await send(told);
  const reason = new Error('enough');
  told.abort(reason);
  expect(() => attempts[0]?.start()).toThrow(reason);
  expect(attempts[0]?.aborts).toEqual([]);
});

it('serves an older listener over a dispatcher of the newer style', async () => {
  const { client } = await rig(['a']);
  const { attempts, send } = dispatching(client, {}, { style: 'newer' });
  const told = telling('older');
  const seen: unknown[] = [];
  Object.assign(told.handler, {
    onHeaders: (_status: number, headers: unknown) => {
      seen.push(headers);
    },
  });
  await send(told);
  attempts[0]?.start();
  attempts[0]?.head(200, { a: '1' });
  attempts[0]?.end();
  await settle();
  expect(seen).toEqual([[Buffer.from('a'), Buffer.from('1')]]);
  expect(told.log).toEqual(['start', 'end']);
});

it('fails when the dispatcher begins anew amid an answer', async () => {
  const { at, told } = await sent('older');
  at(0).start();
  at(0).head(200);
  await settle();
  expect(() => at(0).start()).toThrow('amid the response');
  at(0).fail(reset());
  expect(told.log).toEqual(['start', 'head 200', 'error']);
});

it('keeps the order for a listener that asks for more while it is given some', async () => {
  const { at, told } = await sent('older');
  told.wants = false;
  at(0).start();
  at(0).head(200);
  at(0).data('1');
  at(0).data('2');
  await settle();
  const { onData } = told.handler as { onData: (chunk: Buffer) => boolean };
  Object.assign(told.handler, {
    onData: (chunk: Buffer) => {
      told.resume();
      return onData(chunk);
    },
  });
  told.resume();
  expect(told.log).toEqual(['start', 'head 200', 'data 1', 'data 2']);
});

it('ends the lease of an answer that was a success and is discarded all the same', async () => {
  const { at, clock, attempts, inFlight } = await sent('older', {
    fairlead: {
      classify: (settled: { readonly ok: boolean; readonly value?: unknown }) =>
        settled.ok && (settled.value as { status: number }).status === 202
          ? { outcome: 'success', retry: 'always' }
          : undefined,
    },
  });
  at(0).start();
  at(0).head(202);
  await settle();
  await clock.advance(1_000);
  expect(attempts).toHaveLength(2);
  expect(inFlight()).toBe(1);
  at(1).start();
  at(1).head(200);
  at(1).end();
  await settle();
  expect(inFlight()).toBe(0);
});

it('hands over at once what nothing is to be decided about', async () => {
  const { at, told, inFlight } = await sent('older');
  at(0).start();
  at(0).head(200);
  expect(told.log).toEqual(['start', 'head 200']);
  at(0).data('1');
  at(0).end();
  expect(told.log).toEqual(['start', 'head 200', 'data 1', 'end']);
  expect(inFlight()).toBe(0);
});

it('does not cut the connection of an answer that is not used and has come whole', async () => {
  const retry = { maxAttempts: 2 };
  const { at, told, clock, attempts } = await sent('older', {}, { retry });
  at(0).start();
  at(0).head(503);
  at(0).data('busy');
  at(0).end();
  await settle();
  await clock.advance(1_000);
  expect(attempts).toHaveLength(2);
  expect(at(0).aborts).toEqual([]);
  at(1).start();
  at(1).head(503); // the rest of it does not come
  await settle();
  expect(told.log).toEqual(['start', 'head 503']); // two attempts are all

  const waiting = await sent('older');
  waiting.at(0).start();
  waiting.at(0).head(503);
  await settle();
  expect(waiting.at(0).aborts).toHaveLength(1);
});

it('tells what a dispatcher throws, before an answer and after', async () => {
  const { client } = await rig(['a'], { breaker: false });
  for (const isAnswered of [false, true]) {
    const dispatch = serviceDispatch(resolveWrapping('test', client, {}), (_request, handler) => {
      const { onConnect, onHeaders } = handler as OlderHandler;
      onConnect.call(handler, () => undefined);
      if (isAnswered) onHeaders?.call(handler, 200, [], () => undefined, '');
      throw new RangeError('thrown in dispatch');
    });
    const told = telling('older');
    dispatch({ origin: 'http://orders', path: '/', method: 'POST' }, told.handler);
    await settle();
    expect(told.errors.map(String)).toEqual(['RangeError: thrown in dispatch']);
    expect(row(client, 'a').pending).toBe(0);
  }
});

it("goes by a `call` that was put in the place of the client's own", async () => {
  const { client } = await rig(['a'], { breaker: false });
  let calls = 0;
  const traced = new Proxy(client, {
    get: (target, key): unknown => {
      if (key !== 'call') return Reflect.get(target, key);
      return (...args: Parameters<typeof client.call>) => {
        calls++;
        return target.call(...args);
      };
    },
  });
  const { attempts, send } = dispatching(traced);
  const told = telling('newer');
  await send(told);
  attempts[0]?.start();
  attempts[0]?.head(200);
  attempts[0]?.end();
  await settle();
  expect(calls).toBe(1);
  expect(told.log).toEqual(['start', 'head 200', 'end']);
  expect(row(client, 'a').pending).toBe(0);
});

it('hands over nothing after an abort, however late that comes', async () => {
  const seen = new Set<string>();
  for (let turns = 0; turns < 30; turns++) {
    const { at, told, inFlight } = await sent('older', {}, KEEPING);
    at(0).start();
    at(0).head(200);
    at(0).end();
    for (let i = 0; i < turns; i++) await Promise.resolve();
    const before = told.log.length;
    told.abort(new Error('enough'));
    await settle();
    const after = told.log.slice(before);
    expect([[], ['error']]).toContainEqual(after);
    seen.add(after.join());
    expect(inFlight()).toBe(0);
  }
  expect(seen).toEqual(new Set(['', 'error']));
});
