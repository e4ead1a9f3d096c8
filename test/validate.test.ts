import { describe, expect, it } from 'vitest';
import {
  checkBoolean,
  checkFunction,
  checkKeys,
  checkMs,
  checkNumber,
  checkRatio,
  checkString,
  isObject,
} from '../src/validate.js';
import { expectInvalidOption } from './support/errors.js';
import { thrownBy } from './support/promises.js';

describe('checkMs', () => {
  it.each([1, 0.5, 2_147_483_647])('accepts %s', (value) => {
    expect(checkMs('x', value)).toBe(value);
  });

  it.each([0, -1, NaN, Infinity, -Infinity, 2_147_483_648, '5', null, undefined, 5n])(
    'refuses %s',
    (value) => {
      expectInvalidOption(
        thrownBy(() => checkMs('timeoutMs', value)),
        'timeoutMs',
        value,
      );
    },
  );

  it('names option, range, unit and value in its message', () => {
    expect(() => checkMs('timeoutMs', -5)).toThrow(
      'Option "timeoutMs" must be a finite number of milliseconds > 0 and <= 2147483647; got -5.',
    );
  });
});

describe('checkRatio', () => {
  it.each([0, 0.5, 1])('accepts %s', (value) => {
    expect(checkRatio('x', value)).toBe(value);
  });

  it.each([-0.01, 1.01, NaN, '0.5'])('refuses %s', (value) => {
    expectInvalidOption(
      thrownBy(() => checkRatio('x', value)),
      'x',
      value,
    );
  });
});

describe('checkNumber', () => {
  it('accepts an inclusive minimum and refuses an exclusive one', () => {
    expect(checkNumber('x', 3, { min: 3 })).toBe(3);
    expect(() => checkNumber('x', 3, { min: 3, exclusiveMin: true })).toThrow('> 3');
  });

  it('refuses a fraction where an integer is due', () => {
    expect(() => checkNumber('x', 1.5, { min: 1, integer: true })).toThrow(
      'an integer >= 1; got 1.5',
    );
  });
});

describe('checkString', () => {
  it.each(['', 5, null, undefined, {}])('refuses %s', (value) => {
    expectInvalidOption(
      thrownBy(() => checkString('service', value)),
      'service',
      value,
    );
  });
});

describe('checkBoolean', () => {
  it.each([0, 'true', null, undefined])('refuses %s', (value) => {
    expectInvalidOption(
      thrownBy(() => checkBoolean('x', value)),
      'x',
      value,
    );
  });

  it('accepts false', () => {
    expect(checkBoolean('x', false)).toBe(false);
  });
});

describe('checkFunction', () => {
  it.each([{}, 'f', null, undefined])('refuses %s', (value) => {
    expectInvalidOption(
      thrownBy(() => checkFunction('x', value)),
      'x',
      value,
    );
  });
});

describe('checkKeys', () => {
  it('names the path of an unknown key, its value and what is known', () => {
    const error = thrownBy(() => checkKeys('retry', { maxAttempt: 3 }, ['maxAttempts']));
    expectInvalidOption(error, 'retry.maxAttempt', 3);
    expect((error as Error).message).toContain('known options: maxAttempts');
  });

  it.each([
    ['text', '(string, not shown)'],
    [{ key: 'text' }, '(object, not shown)'],
    [['text'], '(object, not shown)'],
  ])('tells only the kind of what may be a secret under a misspelt name: %j', (secret, told) => {
    const error = thrownBy(() => checkKeys('', { tokem: secret }, ['token']));
    expectInvalidOption(error, 'tokem', told);
    expect((error as Error).message).not.toContain('"text"');
  });

  it('names an unknown outermost key without a path', () => {
    expectInvalidOption(
      thrownBy(() => checkKeys('', { polizy: 1 }, ['policy'])),
      'polizy',
      1,
    );
  });

  it('does not show a text given in place of all options: it may be a token', () => {
    const error = thrownBy(() => checkKeys('', 'hunter2', []));
    expectInvalidOption(error, 'options', 'a string');
    expect((error as Error).message).not.toContain('hunter2');
  });

  it.each([null, undefined, 7, true, []])('refuses %s for an object', (value) => {
    expectInvalidOption(
      thrownBy(() => checkKeys('', value, [])),
      'options',
      value,
    );
  });
});

it('isObject takes neither arrays nor null for objects', () => {
  expect([{}, [], null, 'x', () => 1].map(isObject)).toEqual([true, false, false, false, false]);
});
