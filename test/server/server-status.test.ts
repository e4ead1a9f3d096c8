import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { createServerStatus, type ServerStatus } from '../../src/server.js';
import { ManualClock } from '../../src/testing.js';
import { thrownBy, watched } from '../support/promises.js';

/** A request as Node hands it over, without a connection. */
function request(
  url = '/',
  method = 'GET',
): { request: IncomingMessage; response: ServerResponse } {
  const request = new IncomingMessage(new Socket());
  Object.assign(request, { url, method, httpVersionMajor: 1, httpVersionMinor: 1 });
  const response = new ServerResponse(request);
  response.assignSocket(new PassThrough() as unknown as Socket);
  return { request, response };
}

/** Begins a request; what is returned ends it. */
function begin(status: ServerStatus, code = 200): () => void {
  const { request: incoming, response } = request();
  status.handler(() => undefined)(incoming, response);
  return () => {
    response.writeHead(code);
    response.emit('close');
  };
}

function onManualClock(options = {}): { clock: ManualClock; status: ServerStatus } {
  const clock = new ManualClock();
  return { clock, status: createServerStatus({ env: { clock }, ...options }) };
}

function probe(status: ServerStatus, url = '/ready', method = 'GET'): number | undefined {
  const { request: incoming, response } = request(url, method);
  const next = vi.fn();
  status.express(incoming, response, next);
  return next.mock.calls.length > 0 ? undefined : response.statusCode;
}

describe('options of a server status', () => {
  it.each([
    [{ readinessPath: 'ready' }, 'readinessPath'],
    [{ readinessPath: '/ready?x' }, 'readinessPath'],
    [{ readinessPath: true }, 'readinessPath'],
    [{ livenessPath: '' }, 'livenessPath'],
    [{ livenessPath: '/ready' }, 'livenessPath'],
    [{ ready: 1 }, 'ready'],
    [{ loadHeader: 'a b' }, 'loadHeader'],
    [{ loadHeader: '' }, 'loadHeader'],
    [{ loadHeader: true }, 'loadHeader'],
    [{ maxConcurrency: 0 }, 'maxConcurrency'],
    [{ maxConcurrency: 5, utilization: () => 1 }, 'maxConcurrency'],
    [{ utilization: 0.5 }, 'utilization'],
    [{ windowMs: 99 }, 'windowMs'],
    [{ env: {} }, 'env.clock'],
    [{ env: { clock: {} } }, 'env.clock.now'],
    [{ path: '/ready' }, 'path'],
  ])('%o is refused', (options, option) => {
    expect(thrownBy(() => createServerStatus(options as object))).toMatchObject({
      code: 'ERR_FAIRLEAD_INVALID_OPTION',
      option,
    });
  });

  it.each([
    [{ minMs: -1 }, 'drain.minMs'],
    [{ timeoutMs: 0 }, 'drain.timeoutMs'],
    [{ minMs: 100, timeoutMs: 99 }, 'drain.timeoutMs'],
    [{ signal: {} }, 'drain.signal'],
    [{ ms: 1 }, 'drain.ms'],
  ])('a drain with %o is refused, and does not begin', async (options, option) => {
    const { status } = onManualClock();
    await expect(status.drain(options as object)).rejects.toMatchObject({
      code: 'ERR_FAIRLEAD_INVALID_OPTION',
      option,
    });
    expect(status.state).toBe('ready');
  });

  it('what is no listener, and no state, is refused', () => {
    const { status } = onManualClock();
    expect(thrownBy(() => status.handler(1 as never))).toMatchObject({ option: 'listener' });
    expect(thrownBy(() => status.upgrade(1 as never))).toMatchObject({ option: 'listener' });
    expect(thrownBy(() => status.setReady(1 as never))).toMatchObject({ option: 'ready' });
  });
});

describe('the probes of a server', () => {
  it('tell whether it is ready', () => {
    const { status } = onManualClock({ ready: false });
    expect([status.state, probe(status)]).toEqual(['not-ready', 503]);
    status.setReady(true);
    expect([status.state, probe(status)]).toEqual(['ready', 200]);
    status.setReady(false);
    expect([status.state, probe(status)]).toEqual(['not-ready', 503]);
  });

  it('say no for good once it drains, though it lives', () => {
    const { status } = onManualClock({ livenessPath: '/live' });
    void status.drain();
    expect([status.state, probe(status), probe(status, '/live')]).toEqual(['draining', 503, 200]);
    status.setReady(true);
    expect([status.state, probe(status)]).toEqual(['draining', 503]);
  });

  it.each([
    ['/ready', 'GET', 200],
    ['/ready?verbose', 'GET', 200],
    ['/ready', 'HEAD', 200],
    ['/ready', 'POST', undefined],
    ['/ready/', 'GET', undefined],
    ['/readymade', 'GET', undefined],
    ['/', 'GET', undefined],
    ['/live', 'GET', undefined],
  ])('%s by %s is answered with %s', (url, method, expected) => {
    expect(probe(onManualClock().status, url, method)).toBe(expected);
  });

  it('are not there without a path', () => {
    const { status } = onManualClock({ readinessPath: false });
    expect(probe(status)).toBeUndefined();
  });

  it('are no requests', () => {
    const { status } = onManualClock();
    probe(status);
    expect(status.snapshot()).toEqual({ state: 'ready', inFlight: 0, upgraded: 0 });
  });
});

describe('a drain', () => {
  it('takes as long as the requests', async () => {
    const { clock, status } = onManualClock();
    const ends = [begin(status), begin(status)];
    const drained = watched(status.drain({ minMs: 100, timeoutMs: 10_000 }));
    await clock.advance(5_000);
    ends[0]?.();
    await clock.advance(0);
    expect(drained.status).toBe('pending');
    ends[1]?.();
    await clock.advance(0);
    expect(drained).toMatchObject({ status: 'resolved', value: { open: 0 } });
    expect(clock.pendingTimers).toBe(0);
  });

  it('takes no less than minMs, in which requests are served', async () => {
    const { clock, status } = onManualClock();
    const drained = watched(status.drain({ minMs: 1_000 }));
    await clock.advance(999);
    const end = begin(status);
    await clock.advance(1);
    expect(drained.status).toBe('pending');
    end();
    await clock.advance(0);
    expect(drained.status).toBe('resolved');
    expect(clock.pendingTimers).toBe(0);
  });

  it('does not wait for ever, and tells what is open', async () => {
    const { clock, status } = onManualClock();
    begin(status);
    const drained = watched(status.drain());
    await clock.advance(24_999);
    expect(drained.status).toBe('pending');
    await clock.advance(1);
    expect(drained).toMatchObject({ status: 'resolved', value: { open: 1 } });
    expect(clock.pendingTimers).toBe(0);
  });

  it('asked for again counts minMs from the first', async () => {
    const { clock, status } = onManualClock();
    const first = watched(status.drain({ minMs: 1_000 }));
    await clock.advance(900);
    const second = watched(status.drain({ minMs: 1_000 }));
    await clock.advance(100);
    expect([first.status, second.status]).toEqual(['resolved', 'resolved']);
  });

  it('given up goes on, without the waiting', async () => {
    const { clock, status } = onManualClock();
    const controller = new AbortController();
    const reason = new Error('enough');
    const drained = watched(status.drain({ signal: controller.signal }));
    controller.abort(reason);
    await clock.advance(0);
    expect(drained).toMatchObject({ status: 'rejected', error: reason });
    expect(status.state).toBe('draining');
    expect(clock.pendingTimers).toBe(0);
  });

  it('with a signal aborted before does not begin', async () => {
    const { status } = onManualClock();
    const reason = new Error('never mind');
    await expect(status.drain({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(status.state).toBe('ready');
  });

  it('waits for connections that were upgraded, which are no requests', async () => {
    const { clock, status } = onManualClock();
    const socket = new PassThrough();
    status.upgrade(() => undefined)(request().request, socket, Buffer.alloc(0));
    expect(status.snapshot()).toEqual({ state: 'ready', inFlight: 0, upgraded: 1 });
    const drained = watched(status.drain({ minMs: 0 }));
    await clock.advance(100);
    expect(drained.status).toBe('pending');
    socket.destroy();
    await clock.advance(0);
    expect(drained.status).toBe('resolved');
    status.upgrade(() => undefined)(request().request, socket, Buffer.alloc(0));
    expect(status.snapshot().upgraded).toBe(0); // it was closed before
  });
});

describe('the count of requests', () => {
  it('takes each response once, however often it comes by', () => {
    const { status } = onManualClock();
    const { request: incoming, response } = request();
    const twice = status.handler(status.handler(() => undefined));
    twice(incoming, response);
    status.express(incoming, response, () => undefined);
    expect(status.snapshot().inFlight).toBe(1);
    response.emit('close');
    expect(status.snapshot().inFlight).toBe(0);
  });

  it('hands the listener over as it is called', () => {
    const { status } = onManualClock();
    const server = {};
    const listener = function (this: unknown): unknown {
      return this;
    };
    const { request: incoming, response } = request();
    expect(status.handler(listener).call(server, incoming, response)).toBe(server);
  });

  it('sets no timer', async () => {
    const { clock, status } = onManualClock();
    for (let i = 0; i < 10; i++) {
      begin(status, i === 0 ? 500 : 200)();
      await clock.advance(1_000);
    }
    expect(status.snapshot()).toMatchObject({ requestsPerSecond: 1, errorsPerSecond: 0.1 });
    expect(clock.pendingTimers).toBe(0);
  });
});
