import { describe, expect, it } from 'vitest';
import { functionProbe } from '../../src/health/function-probe.js';
import { failureText } from '../../src/health/probe.js';
import type { CheckFunction } from '../../src/health-options.js';
import { state } from '../support/states.js';

const { instance } = state('a');
const { signal } = new AbortController();

/** The role, or why the check failed. */
function outcome(check: unknown): Promise<unknown> {
  const probe = functionProbe(check as CheckFunction);
  return probe(instance, signal).then(
    (role) => ({ role }),
    (error: unknown) => failureText(error),
  );
}

describe('a check of the user is good', () => {
  it.each([
    [true, undefined],
    [undefined, undefined],
    [{ healthy: true }, undefined],
    [{ healthy: true, role: undefined }, undefined],
    [{ healthy: true, role: 'primary', lagMs: 5 }, 'primary'],
  ])('with %j', async (result, role) => {
    expect(await outcome(() => result)).toEqual({ role });
    expect(await outcome(async () => result)).toEqual({ role });
  });

  it('and is given the instance and the signal', async () => {
    let given: unknown;
    await outcome((context: unknown) => {
      given = context;
    });
    expect(given).toEqual({ instance, signal });
  });
});

describe('a check of the user failed', () => {
  it.each([
    [false, 'the check says unhealthy'],
    [{ healthy: false, role: 'primary' }, 'the check says unhealthy'],
    [null, 'the check must return true, false or { healthy, role }; got null'],
    ['ok', 'the check must return true, false or { healthy, role }; got "ok"'],
    [[], 'the check must return true, false or { healthy, role }; got an empty array'],
    [{}, 'the check must return true, false or { healthy, role }; got { healthy: undefined }'],
    [
      { healthy: 'yes' },
      'the check must return true, false or { healthy, role }; got { healthy: "yes" }',
    ],
    [
      { healthy: true, role: 5 },
      'the role that the check returns must be a non-empty string; got 5',
    ],
    [
      { healthy: true, role: '' },
      'the role that the check returns must be a non-empty string; got ""',
    ],
  ])('with %j', async (result, text) => {
    expect(await outcome(() => result)).toBe(text);
  });

  const refused = Object.assign(new Error('connect ECONNREFUSED ::1:80'), { code: 'ECONNREFUSED' });
  it.each([
    ['an error', new Error('replica lag'), 'replica lag'],
    ['a string', 'lagging', 'lagging'],
    ['nothing', undefined, 'undefined'],
    ['an object', { reason: 1 }, 'failed'],
    ['an error without a message', Object.assign(new Error(''), { code: 'EPIPE' }), 'EPIPE'],
    ['an error without anything', new TypeError(), 'TypeError'],
    [
      'a failure of fetch',
      new TypeError('fetch failed', { cause: refused }),
      'fetch failed: ECONNREFUSED',
    ],
    [
      'an error that names its cause',
      new Error('x: ECONNREFUSED', { cause: refused }),
      'x: ECONNREFUSED',
    ],
  ])('with a throw of %s', async (_, thrown, text) => {
    expect(
      await outcome(() => {
        throw thrown;
      }),
    ).toBe(text);
    expect(await outcome(() => Promise.reject(thrown))).toBe(text);
  });

  it('with no more of a long message than 200 characters', async () => {
    const text = await outcome(() => Promise.reject(new Error('x'.repeat(5_000))));
    expect(text).toBe(`${'x'.repeat(197)}...`);
  });
});
