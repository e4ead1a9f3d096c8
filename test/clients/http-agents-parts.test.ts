import { ClientRequest } from 'node:http';
import { expect, it } from 'vitest';
import { hashRequest, hostHeaderName, hostOf } from '../../src/clients/http/asked.js';
import { isTimeout, withEvidence } from '../../src/clients/http/judge.js';
import { onDestroy } from '../../src/clients/http/node-internals.js';
import { tlsName } from '../../src/clients/http/tls-name.js';
import { classify } from '../../src/resilience/classify.js';

/** A request that no agent has sent. */
function requestWith(headers: Record<string, string | string[]> = {}, path = '/a?b=c') {
  const agent = { addRequest() {}, protocol: 'http:' };
  return new ClientRequest({ host: 'orders', path, headers, agent, method: 'post' } as never);
}

const HERE = { host: 'orders', port: 80 };

it.each([
  [{ host: 'Orders', port: 80 }, 80, 'orders', 'orders'],
  [{ host: 'orders', port: '443' }, 443, 'orders', 'orders'],
  [{ host: 'orders', port: 8080 }, 80, 'orders:8080', 'orders'],
  [{ host: '::1', port: 80 }, 80, '[::1]', '[::1]'],
])('reads the host of %j', (options, defaultPort, host, hostname) => {
  expect(hostOf(options, defaultPort)).toEqual({ host, hostname });
});

it('reads what a request is hashed by', () => {
  const request = requestWith({ cookie: ['a=1', 'b=2'], 'x-list': ['a', 'b'] });
  const asked = hashRequest(request, HERE, 'http://orders');
  expect([asked.method, asked.url.href]).toEqual(['POST', 'http://orders/a?b=c']);
  expect([asked.header('Cookie'), asked.header('X-List')]).toEqual(['a=1; b=2', 'a, b']);
  expect(asked.header('none')).toBeUndefined();
  const pairs = { ...HERE, headers: [['X-User', 'u']] as never };
  expect(hashRequest(requestWith(), pairs, 'http://orders').header('x-user')).toBe('u');
  expect(hashRequest(requestWith({}, '*'), HERE, 'http://orders').url.href).toBe('http://orders/');
});

it.each([
  ['orders', 'orders'],
  ['orders:8080', 'orders'],
  ['[::1]:8080', '::1'],
])('takes the name from the header Host: %s', (host, name) => {
  expect(hostHeaderName(requestWith({ host }))).toBe(name);
});

it('verifies an address that is not sent', () => {
  const names: string[] = [];
  const own = (name: string): undefined => void names.push(name);
  const options = { ...HERE, checkServerIdentity: own };
  const name = tlsName(requestWith(), options, { hostname: 'orders', service: '10.0.0.1' });
  expect(name.servername).toBe('');
  name.checkServerIdentity?.('10.9.9.9', {} as never);
  expect(names).toEqual(['10.0.0.1']);
});

it.each<[Error | undefined, boolean]>([
  [undefined, false],
  [new Error('no'), false],
  [new DOMException('late', 'TimeoutError'), true],
  [new DOMException('off', 'AbortError'), false],
  [Object.assign(new Error('late'), { code: 'ETIMEDOUT' }), true],
  [new Error('aborted', { cause: new DOMException('late', 'TimeoutError') }), true],
])('tells whether who destroyed a request had waited too long: %s', (error, expected) => {
  expect(isTimeout(error)).toBe(expected);
});

it('adds evidence without touching the error', () => {
  const error = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
  const evidence = withEvidence(error, { reusedSocket: true, res: null });
  expect(classify({ ok: false, error }).outcome).toBe('failure');
  expect(classify({ ok: false, error: evidence }).outcome).toBe('ignored');
  expect('request' in error).toBe(false);
});

it('is told of the first destroy alone, and leaves nothing behind', () => {
  const request = requestWith();
  const told: unknown[] = [];
  const stop = onDestroy(request, (error) => told.push(error));
  const reason = new Error('off');
  expect(request.destroy(reason)).toBe(request);
  request.destroy(new Error('again'));
  expect(told).toEqual([reason]);
  expect(request.destroyed).toBe(true);
  stop();
  expect(request.destroy).toBe(ClientRequest.prototype.destroy);

  const other = requestWith();
  const stopOther = onDestroy(other, () => told.push('never'));
  const wrapped = other.destroy;
  other.destroy = (error) => wrapped(error); // somebody wraps it again
  stopOther();
  other.destroy();
  expect(other.destroyed).toBe(true);
  expect(told).toEqual([reason]);
});
