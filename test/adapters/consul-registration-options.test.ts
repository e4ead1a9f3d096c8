import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { registerService } from '../../adapters/consul/registration.js';
import { checkId, defineService } from '../../adapters/consul/registration/definition.js';
import { readRegistrationOptions } from '../../adapters/consul/registration/options.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';

const read = (options: object = {}) =>
  readRegistrationOptions({ name: 'web', port: 8080, ...options });

const define = (options: object = {}) => {
  const { service, checks } = read(options);
  return defineService(service, checks, 'passing', false);
};

describe('an option of registerService out of its range', () => {
  it.each<[object, string, unknown]>([
    [{ name: '' }, 'name', ''],
    [{ name: undefined }, 'name', undefined],
    [{ port: 0 }, 'port', 0],
    [{ port: 65_536 }, 'port', 65_536],
    [{ port: 80.5 }, 'port', 80.5],
    [{ port: '80' }, 'port', '80'],
    [{ id: '' }, 'id', ''],
    [{ address: '[::1]' }, 'address', '[::1]'],
    [{ address: 'http://web' }, 'address', 'http://web'],
    [{ address: '' }, 'address', ''],
    [{ tags: 'v1' }, 'tags', 'v1'],
    [{ tags: ['v1', ''] }, 'tags', ['v1', '']],
    [{ meta: ['a'] }, 'meta', ['a']],
    [{ meta: { rack: 7 } }, 'meta.rack', 7],
    [{ weights: { passing: 0 } }, 'weights.passing', 0],
    [{ weights: { passing: 65_536 } }, 'weights.passing', 65_536],
    [{ weights: { warning: -1 } }, 'weights.warning', -1],
    [{ weights: { warning: 0.5 } }, 'weights.warning', 0.5],
    [{ weights: { critical: 1 } }, 'weights.critical', 1],
    [{ taggedAddresses: [] }, 'taggedAddresses', []],
    [{ taggedAddresses: { lan: 7 } }, 'taggedAddresses.lan', 7],
    [{ taggedAddresses: { lan: {} } }, 'taggedAddresses.lan.address', undefined],
    [{ taggedAddresses: { wan: { address: 'a', port: 0 } } }, 'taggedAddresses.wan.port', 0],
    [{ enableTagOverride: 'yes' }, 'enableTagOverride', 'yes'],
    [{ check: { ttlMs: 999 } }, 'check.ttlMs', 999],
    [{ check: {} }, 'check', []],
    [{ check: 'ttl' }, 'check', 'ttl'],
    [{ check: { ttlMs: 2_000, tcp: 'a:1' } }, 'check', ['ttlMs', 'tcp']],
    [{ check: { ttlMs: 2_000, intervalMs: 1_000 } }, 'check.intervalMs', 1_000],
    [{ check: { ttlMs: 2_000, status: 'ok' } }, 'check.status', 'ok'],
    [{ check: { ttlMs: 2_000, deregisterAfterMs: 1_000 } }, 'check.deregisterAfterMs', 1_000],
    [{ check: { ttlMs: 2_000, deregisterAfterMs: true } }, 'check.deregisterAfterMs', true],
    [{ check: { ttlMs: 2_000, name: '' } }, 'check.name', ''],
    [{ check: { tcp: 'localhost', intervalMs: 1_000 } }, 'check.tcp', 'localhost'],
    [{ check: { tcp: 'a:1/x', intervalMs: 1_000 } }, 'check.tcp', 'a:1/x'],
    [{ check: { tcp: 'a:70000', intervalMs: 1_000 } }, 'check.tcp', 'a:70000'],
    [{ check: { tcp: 'a:1' } }, 'check.intervalMs', undefined],
    [{ check: { tcp: 'a:1', intervalMs: 500 } }, 'check.intervalMs', 500],
    [{ check: { tcp: 'a:1', intervalMs: 1_000, timeoutMs: 0 } }, 'check.timeoutMs', 0],
    [{ check: { http: 'web/health', intervalMs: 1_000 } }, 'check.http', 'web/health'],
    [{ check: { http: 'http://a', intervalMs: 1_000, method: 'get' } }, 'check.method', 'get'],
    [{ check: { grpc: 'a', intervalMs: 1_000 } }, 'check.grpc', 'a'],
    [{ check: { grpc: 'a:1', intervalMs: 1_000, tls: 1 } }, 'check.tls', 1],
    [{ checks: [] }, 'checks', []],
    [{ checks: [{ ttlMs: 2_000 }, { ttlMs: 3_000 }] }, 'checks', 'several'],
    [{ checks: [{ ttlMs: 2_000 }, { tcp: 'a', intervalMs: 1_000 }] }, 'checks[1].tcp', 'a'],
    [{ checks: [{ ttlMs: 2_000 }], check: { ttlMs: 2_000 } }, 'check', 'one'],
    [{ health: 'passing' }, 'health', 'passing'],
    [{ timeoutMs: 0 }, 'timeoutMs', 0],
    [{ settleMs: -1 }, 'settleMs', -1],
    [{ drain: true }, 'drain', true],
    [{ drainTimeoutMs: 0 }, 'drainTimeoutMs', 0],
    [{ signals: 'SIGTERM' }, 'signals', 'SIGTERM'],
    [{ signals: ['SIGKILL'] }, 'signals', ['SIGKILL']],
    [{ signals: ['SIGNOTHING'] }, 'signals', ['SIGNOTHING']],
    [{ url: 'ftp://x/' }, 'url', 'ftp://x/'],
    [{ retries: 3 }, 'retries', 3],
  ])('%o names it', (options, option, value) => {
    expectInvalidOption(
      thrownBy(() => read(options)),
      option,
      value,
    );
  });

  it('is one for the health of a service without a TTL check', () => {
    const health = () => 'passing' as const;
    const check = { tcp: 'a:1', intervalMs: 1_000 };
    expectInvalidOption(
      thrownBy(() => read({ check, health })),
      'health',
      health,
    );
  });

  it('rejects, and does not show what may be a secret', async () => {
    const options = { name: 'web', port: 1 };
    await expect(registerService({ ...options, port: 0 })).rejects.toThrow('"port"');
    const headers = { authorization: 7 } as never;
    const check = { http: 'http://a', intervalMs: 1_000, headers };
    await expect(registerService({ ...options, check })).rejects.toThrow('; got "number"');
    const bad = { http: 'ftp://user:hunter2@web/', intervalMs: 1_000 };
    await expect(registerService({ ...options, check: bad })).rejects.toThrow(
      'got "ftp://***@web/"',
    );
  });
});

describe('what the agent is told', () => {
  it('holds all of the service', () => {
    expect(
      define({
        id: 'web-a',
        address: '10.0.0.7',
        tags: ['v1'],
        meta: { rack: '7' },
        weights: { passing: 10 },
        taggedAddresses: { lan: { address: '10.1.0.7' }, wan: { address: '192.0.2.7', port: 80 } },
        enableTagOverride: true,
      }),
    ).toEqual({
      ID: 'web-a',
      Name: 'web',
      Address: '10.0.0.7',
      Port: 8080,
      Tags: ['v1'],
      Meta: { rack: '7' },
      Weights: { Passing: 10, Warning: 1 },
      TaggedAddresses: {
        lan: { Address: '10.1.0.7', Port: 8080 },
        wan: { Address: '192.0.2.7', Port: 80 },
      },
      EnableTagOverride: true,
      Checks: [
        {
          CheckID: 'service:web-a',
          TTL: '15000ms',
          Status: 'passing',
          DeregisterCriticalServiceAfter: '600000ms',
        },
      ],
    });
  });

  it('holds the checks of every kind', () => {
    const { Checks } = define({
      id: 'web-a',
      checks: [
        { ttlMs: 1_500, name: 'alive', notes: 'says so itself', deregisterAfterMs: false },
        {
          http: 'http://127.0.0.1:8080/health',
          intervalMs: 5_000,
          timeoutMs: 1_000,
          method: 'HEAD',
          headers: { 'x-one': '1', 'x-two': ['2', '3'] },
          tlsSkipVerify: true,
        },
        { tcp: '[::1]:8080', intervalMs: 1_000, status: 'warning' },
        { grpc: '127.0.0.1:9090/orders.v1', intervalMs: 1_000, tls: true },
      ],
    });
    const after = { DeregisterCriticalServiceAfter: '600000ms' };
    expect(Checks).toEqual([
      {
        CheckID: 'service:web-a:1',
        Name: 'alive',
        Notes: 'says so itself',
        TTL: '1500ms',
        Status: 'passing',
      },
      {
        ...after,
        CheckID: 'service:web-a:2',
        HTTP: 'http://127.0.0.1:8080/health',
        Interval: '5000ms',
        Timeout: '1000ms',
        Method: 'HEAD',
        Header: { 'x-one': ['1'], 'x-two': ['2', '3'] },
        TLSSkipVerify: true,
      },
      {
        ...after,
        CheckID: 'service:web-a:3',
        TCP: '[::1]:8080',
        Interval: '1000ms',
        Status: 'warning',
      },
      {
        ...after,
        CheckID: 'service:web-a:4',
        GRPC: '127.0.0.1:9090/orders.v1',
        Interval: '1000ms',
        GRPCUseTLS: true,
      },
    ]);
    expect(checkId('web-a', 0, 1)).toBe('service:web-a');
  });

  it('has an id that is the same after a restart', () => {
    expect(define().ID).toBe(`web-${hostname()}-8080`);
    expect(define({ address: '10.0.0.7' }).ID).toBe('web-10.0.0.7-8080');
  });
});

it('signals are none, the usual two, or those named', () => {
  expect(read().signals).toEqual([]);
  expect(read({ signals: true }).signals).toEqual(['SIGTERM', 'SIGINT']);
  expect(read({ signals: ['SIGHUP', 'SIGHUP'] }).signals).toEqual(['SIGHUP']);
});
