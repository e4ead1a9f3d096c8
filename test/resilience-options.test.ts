import { describe, expect, it } from 'vitest';
import type { ClientOptions } from '../src/options.js';
import { resolveOptions } from '../src/options.js';
import { memoryAdapter } from '../src/testing/memory-adapter.js';
import { createClientPool } from '../src/client-pool.js';
import { expectInvalidOption } from './support/errors.js';
import { thrownBy } from './support/promises.js';

function resolve(options: unknown): ReturnType<typeof resolveOptions> {
  const base = { service: 'orders', discovery: memoryAdapter() };
  return resolveOptions({ ...base, ...(options as Partial<ClientOptions>) });
}

function refusal(options: unknown): unknown {
  return thrownBy(() => resolve(options));
}

describe('the defaults', () => {
  it('are those of the documentation', () => {
    expect(resolve({})).toMatchObject({
      maxAttempts: 3,
      budget: { ratio: 0.2, minPerSecond: 10, windowMs: 10_000 },
      hedge: undefined,
      maxConcurrency: undefined,
      inheritDeadline: false,
    });
  });

  it('of each group are filled in where it is given', () => {
    expect(resolve({ retry: { maxAttempts: 3 } }).budget?.ratio).toBe(0.2);
    expect(resolve({ hedge: true }).hedge).toEqual({
      delayMs: undefined,
      quantileRatio: 0.95,
      maxRatio: 0.05,
    });
    expect(resolve({ maxConcurrency: { client: 5 } }).maxConcurrency).toEqual({
      client: 5,
      perInstance: undefined,
      queueSize: 100,
    });
    const adaptive = { initial: 20, min: 1, max: 1_000, tolerance: 1.5 };
    expect(resolve({ maxConcurrency: { perInstance: 'adaptive' } }).maxConcurrency).toMatchObject({
      perInstance: adaptive,
    });
    expect(resolve({ maxConcurrency: { client: {} } }).maxConcurrency?.client).toEqual(adaptive);
  });

  it('of an adaptive limit stay within its bounds', () => {
    const limit = (client: object): unknown =>
      resolve({ maxConcurrency: { client } }).maxConcurrency?.client;
    expect(limit({ max: 8 })).toMatchObject({ initial: 8, max: 8 });
    expect(limit({ min: 50 })).toMatchObject({ initial: 50, min: 50 });
    expect(limit({ min: 2_000 })).toMatchObject({ initial: 2_000, max: 2_000 });
  });
});

describe('what is off', () => {
  it('is left out', () => {
    expect(resolve({ retry: false })).toMatchObject({ maxAttempts: 1, budget: undefined });
    expect(resolve({ retry: { budget: false } })).toMatchObject({
      maxAttempts: 3,
      budget: undefined,
    });
    expect(resolve({ hedge: false }).hedge).toBeUndefined();
    expect(resolve({ maxConcurrency: false }).maxConcurrency).toBeUndefined();
  });
});

describe('a wrong value is refused', () => {
  it.each<[string, unknown, unknown]>([
    ['retry.budget', { retry: { budget: true } }, true],
    ['retry.budget', { retry: { budget: 0.2 } }, 0.2],
    ['retry.budget.ratio', { retry: { budget: { ratio: -0.1 } } }, -0.1],
    ['retry.budget.ratio', { retry: { budget: { ratio: 20 } } }, 20],
    ['retry.budget.minPerSecond', { retry: { budget: { minPerSecond: -1 } } }, -1],
    ['retry.budget.minPerSecond', { retry: { budget: { minPerSecond: Infinity } } }, Infinity],
    ['retry.budget.windowMs', { retry: { budget: { windowMs: 999 } } }, 999],
    ['retry.budget.percent', { retry: { budget: { percent: 20 } } }, 20],
    ['hedge', { hedge: 50 }, 50],
    ['hedge.delay', { hedge: { delay: 50 } }, 50],
    ['hedge.delayMs', { hedge: { delayMs: 0 } }, 0],
    ['hedge.quantileRatio', { hedge: { quantileRatio: 95 } }, 95],
    ['hedge.quantileRatio', { hedge: { quantileRatio: 0.4 } }, 0.4],
    ['hedge.quantileRatio', { hedge: { quantileRatio: 1 } }, 1],
    ['hedge.quantileRatio', { hedge: { delayMs: 5, quantileRatio: 0.9 } }, 0.9],
    ['hedge.maxRatio', { hedge: { maxRatio: 0 } }, 0],
    ['hedge.maxRatio', { hedge: { maxRatio: 5 } }, 5],
    ['retry.maxAttempts', { hedge: true, retry: false }, 1],
    ['retry.maxAttempts', { hedge: true, retry: { maxAttempts: 1 } }, 1],
    ['maxConcurrency', { maxConcurrency: 10 }, 10],
    ['maxConcurrency.total', { maxConcurrency: { total: 10 } }, 10],
    ['maxConcurrency.client', { maxConcurrency: { client: 0 } }, 0],
    ['maxConcurrency.client', { maxConcurrency: { client: 1.5 } }, 1.5],
    ['maxConcurrency.client', { maxConcurrency: { client: 'auto' } }, 'auto'],
    ['maxConcurrency.perInstance', { maxConcurrency: { perInstance: false } }, false],
    ['maxConcurrency.perInstance.min', { maxConcurrency: { perInstance: { min: 0 } } }, 0],
    ['maxConcurrency.perInstance.max', { maxConcurrency: { perInstance: { min: 9, max: 8 } } }, 8],
    [
      'maxConcurrency.perInstance.initial',
      { maxConcurrency: { perInstance: { max: 8, initial: 9 } } },
      9,
    ],
    ['maxConcurrency.client.tolerance', { maxConcurrency: { client: { tolerance: 0.5 } } }, 0.5],
    ['maxConcurrency.client.step', { maxConcurrency: { client: { step: 1 } } }, 1],
    ['maxConcurrency.queueSize', { maxConcurrency: { queueSize: -1 } }, -1],
    ['inheritDeadline', { inheritDeadline: 'yes' }, 'yes'],
  ])('%s', (option, options, value) => {
    expectInvalidOption(refusal(options), option, value);
  });

  it('by its place in the options of a pool', () => {
    const made = (): unknown =>
      createClientPool({
        discovery: memoryAdapter(),
        defaults: { hedge: true },
        services: { orders: { retry: false } },
      });
    expectInvalidOption(thrownBy(made), 'services.orders.retry.maxAttempts', 1);
  });
});

it('the words say which way out there is', () => {
  expect(String(refusal({ hedge: true, retry: false }))).toContain('at least 2 with hedge; got 1');
  expect(String(refusal({ maxConcurrency: { client: true } }))).toContain(
    "an integer >= 1, 'adaptive' or an object; got true",
  );
});
