import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkCallOptions } from '../src/call-options.js';
import { createClient } from '../src/client.js';
import { checkPoolOptions, type ClientOptions, resolveOptions } from '../src/options.js';
import { ManualClock } from '../src/testing/manual-clock.js';
import { memoryAdapter } from '../src/testing/memory-adapter.js';
import { expectInvalidOption } from './support/errors.js';
import { thrownBy } from './support/promises.js';

const GOOD = { service: 'orders', discovery: memoryAdapter() };

function refusal(options: Record<string, unknown>): unknown {
  return thrownBy(() => resolveOptions({ ...GOOD, ...options }));
}

describe('defaults', () => {
  it('are those of the documentation', () => {
    expect(resolveOptions(GOOD)).toMatchObject({
      service: 'orders',
      policy: 'adaptive',
      maxAttempts: 3,
      timeoutMs: 10_000,
      attemptTimeoutMs: undefined,
      readyTimeoutMs: 10_000,
      panicRatio: 0.5,
      shrinkGraceMs: 15_000,
      breaker: {
        errorThresholdRatio: 0.5,
        minAttempts: 10,
        consecutiveFailures: 5,
        windowMs: 10_000,
        openMs: 1_000,
        maxOpenMs: 60_000,
      },
    });
  });

  it('stand in for options given as undefined', () => {
    const options = { ...GOOD, timeoutMs: undefined, breaker: undefined, retry: undefined };
    expect(resolveOptions(options)).toEqual(resolveOptions(GOOD));
  });

  it('raise maxOpenMs to a longer openMs', () => {
    expect(resolveOptions({ ...GOOD, breaker: { openMs: 90_000 } }).breaker).toMatchObject({
      openMs: 90_000,
      maxOpenMs: 90_000,
    });
  });

  it('false turns the breaker off', () => {
    expect(resolveOptions({ ...GOOD, breaker: false }).breaker).toBeUndefined();
  });
});

describe('client options are refused by name and value', () => {
  it('unknown option', () => {
    expectInvalidOption(refusal({ timeout: 5 }), 'timeout', 5);
  });

  it('no object at all', () => {
    expectInvalidOption(
      thrownBy(() => resolveOptions(null as unknown as ClientOptions)),
      'options',
      null,
    );
  });

  it.each([undefined, '', 5])('service %s', (service) => {
    expectInvalidOption(refusal({ service }), 'service', service);
  });

  it.each([undefined, null, 'http://a', [GOOD.discovery]])('discovery %s', (discovery) => {
    expectInvalidOption(refusal({ discovery }), 'discovery', discovery);
  });

  it('discovery without a name', () => {
    expectInvalidOption(
      refusal({ discovery: { watch: () => undefined } }),
      'discovery.name',
      undefined,
    );
  });

  it('discovery without watch', () => {
    expectInvalidOption(refusal({ discovery: { name: 'x', watch: 5 } }), 'discovery.watch', 5);
  });

  describe.each(['timeoutMs', 'attemptTimeoutMs', 'readyTimeoutMs'])('%s', (option) => {
    it.each([0, -1, NaN, Infinity, 2_147_483_648, '100', null])('%s', (value) => {
      if (value === null && option !== 'attemptTimeoutMs') return; // `??` takes null for the default
      expectInvalidOption(refusal({ [option]: value }), option, value);
    });
  });

  it.each([-1, NaN, Infinity, 2_147_483_648, '0'])('shrinkGraceMs %s', (value) => {
    expectInvalidOption(refusal({ shrinkGraceMs: value }), 'shrinkGraceMs', value);
  });

  it('but shrinkGraceMs 0 is accepted', () => {
    expect(resolveOptions({ ...GOOD, shrinkGraceMs: 0 }).shrinkGraceMs).toBe(0);
  });

  it.each([-0.1, 1.1, NaN, '0.5'])('panicRatio %s', (value) => {
    expectInvalidOption(refusal({ panicRatio: value }), 'panicRatio', value);
  });

  it('classify that is no function', () => {
    expectInvalidOption(refusal({ classify: 'always' }), 'classify', 'always');
  });

  it.each([0, 1.5, -1, NaN, Infinity, '2'])('retry.maxAttempts %s', (maxAttempts) => {
    expectInvalidOption(refusal({ retry: { maxAttempts } }), 'retry.maxAttempts', maxAttempts);
  });

  it('unknown retry option', () => {
    expectInvalidOption(refusal({ retry: { attempts: 3 } }), 'retry.attempts', 3);
  });

  it.each([5, null, true])('retry %s', (retry) => {
    expectInvalidOption(refusal({ retry }), 'retry', retry);
  });
});

describe('savedList', () => {
  it('is off by default', () => {
    expect(resolveOptions(GOOD).savedList).toBeUndefined();
    expect(resolveOptions({ ...GOOD, savedList: false }).savedList).toBeUndefined();
  });

  it('has its defaults, and a folder that does not move with the process', () => {
    expect(resolveOptions({ ...GOOD, savedList: { folder: 'lists' } }).savedList).toEqual({
      folder: resolve('lists'),
      maxAgeMs: 86_400_000,
      afterMs: 1_000,
    });
    const month = { folder: '/lists', maxAgeMs: 30 * 86_400_000, afterMs: 0 };
    expect(resolveOptions({ ...GOOD, savedList: month }).savedList).toMatchObject({
      maxAgeMs: 2_592_000_000,
      afterMs: 0,
    });
  });

  it.each([true, null, 5, '/lists', ['/lists']])('is refused as %j', (savedList) => {
    expectInvalidOption(refusal({ savedList }), 'savedList', savedList);
  });

  it.each([
    ['folder', undefined],
    ['folder', ''],
    ['folder', 5],
    ['maxAgeMs', 0],
    ['maxAgeMs', -1],
    ['maxAgeMs', NaN],
    ['maxAgeMs', Infinity],
    ['maxAgeMs', '1d'],
    ['afterMs', -1],
    ['afterMs', NaN],
    ['afterMs', 2_147_483_648],
    ['path', 5],
  ])('is refused with %s %j', (key, value) => {
    const savedList = { folder: '/lists', [key]: value };
    expectInvalidOption(refusal({ savedList }), `savedList.${key}`, value);
  });
});

describe('breaker options are refused by name and value', () => {
  it.each([
    ['errorThresholdRatio', 0],
    ['errorThresholdRatio', 1.1],
    ['errorThresholdRatio', NaN],
    ['minAttempts', 0],
    ['minAttempts', 2.5],
    ['consecutiveFailures', 0],
    ['consecutiveFailures', 1.5],
    ['windowMs', 99],
    ['windowMs', NaN],
    ['openMs', 0],
    ['openMs', -1],
    ['maxOpenMs', NaN],
  ])('%s %s', (key, value) => {
    expectInvalidOption(refusal({ breaker: { [key]: value } }), `breaker.${key}`, value);
  });

  it('maxOpenMs below openMs', () => {
    expectInvalidOption(
      refusal({ breaker: { openMs: 500, maxOpenMs: 499 } }),
      'breaker.maxOpenMs',
      499,
    );
  });

  it('unknown breaker option', () => {
    expectInvalidOption(refusal({ breaker: { timeout: 5 } }), 'breaker.timeout', 5);
  });

  it.each([true, 5, null, 'off'])('breaker %s', (breaker) => {
    expectInvalidOption(refusal({ breaker }), 'breaker', breaker);
  });
});

describe('createClient', () => {
  it('refuses an unknown policy name and lists the known ones', () => {
    const options = { ...GOOD, policy: 'least-conn' } as unknown as ClientOptions;
    const error = thrownBy(() => createClient(options));
    expectInvalidOption(error, 'policy', 'least-conn');
    expect((error as Error).message).toContain('"round-robin"');
  });

  it.each([{}, 'clock', { clock: {} }, { rng: { next: () => 0 } }])('refuses env %j', (env) => {
    const options = { ...GOOD, env } as unknown as ClientOptions;
    const error = thrownBy(() => createClient(options));
    expect(error).toMatchObject({
      code: 'ERR_FAIRLEAD_INVALID_OPTION',
      option: expect.stringMatching(/^env/),
    });
  });

  it('refuses a wall clock that is no function', () => {
    const env = { clock: new ManualClock(), rng: { next: () => 0 } };
    expectInvalidOption(refusal({ env: { ...env, wallClock: 5 } }), 'env.wallClock', 5);
    const given = { ...env, wallClock: () => 5 };
    expect(resolveOptions({ ...GOOD, env: given }).env).toBe(given);
  });
});

describe('call options are refused by name and value', () => {
  it.each([
    ['timeoutMs', 0],
    ['timeoutMs', NaN],
    ['timeoutMs', 2_147_483_648],
    ['attemptTimeoutMs', -1],
    ['idempotent', 'yes'],
    ['replayable', 1],
    ['hashKey', ''],
    ['hashKey', 5],
    ['classify', {}],
    ['discard', true],
    ['signal', {}],
    ['signal', 'abort'],
    ['retries', 3],
  ])('%s %s', (key, value) => {
    const error = thrownBy(() => checkCallOptions({ [key]: value }));
    expectInvalidOption(error, `call.${key}`, value);
  });

  it('accepts a signal of another realm by its shape', () => {
    const signal = { aborted: false, addEventListener: () => undefined };
    expect(() => checkCallOptions({ signal: signal as unknown as AbortSignal })).not.toThrow();
  });

  it('accepts every option at once', () => {
    const signal = new AbortController().signal;
    const all = {
      idempotent: true,
      replayable: true,
      signal,
      timeoutMs: 1,
      attemptTimeoutMs: 1,
      hashKey: 'k',
      classify: () => undefined,
    };
    expect(() => checkCallOptions(all)).not.toThrow();
  });
});

describe('pool options are refused by name and value', () => {
  function poolRefusal(options: unknown): unknown {
    return thrownBy(() => checkPoolOptions(options as Parameters<typeof checkPoolOptions>[0]));
  }

  it('unknown option', () => {
    expectInvalidOption(poolRefusal({ default: 5 }), 'default', 5);
  });

  it('unknown default', () => {
    expectInvalidOption(poolRefusal({ defaults: { timeout: 5 } }), 'defaults.timeout', 5);
  });

  it('services that are no object', () => {
    expectInvalidOption(poolRefusal({ services: ['orders'] }), 'services', ['orders']);
  });

  it('unknown option of a service', () => {
    expectInvalidOption(
      poolRefusal({ discovery: GOOD.discovery, services: { orders: { timeout: 5 } } }),
      'services.orders.timeout',
      5,
    );
  });

  it('service without discovery where the pool has none', () => {
    expectInvalidOption(
      poolRefusal({ services: { orders: {} } }),
      'services.orders.discovery',
      undefined,
    );
  });

  it('discovery that is no adapter', () => {
    expectInvalidOption(poolRefusal({ discovery: { name: 'x' } }), 'discovery.watch', undefined);
  });
});
