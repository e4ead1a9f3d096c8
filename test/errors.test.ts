import { describe, expect, it } from 'vitest';
import {
  attemptsOf,
  FairleadError,
  InvalidInstanceError,
  InvalidOptionError,
  isFairleadError,
  show,
} from '../src/errors.js';

const RECORD = {
  attempt: 1,
  kind: 'first',
  ended: 'threw',
  instanceId: 'a',
  durationMs: 5,
  outcome: 'failure',
} as const;

describe('FairleadError', () => {
  it('carries name, code, cause and attempts', () => {
    const cause = new Error('why');
    const error = new FairleadError('ERR_FAIRLEAD_CLOSED', 'shut', { cause, attempts: [RECORD] });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'FairleadError', code: 'ERR_FAIRLEAD_CLOSED', cause });
    expect(error.attempts).toEqual([RECORD]);
    expect(String(error)).toBe('FairleadError: shut');
  });

  it('has no cause of its own when none was given', () => {
    expect(Object.hasOwn(new FairleadError('ERR_FAIRLEAD_CLOSED', 'shut'), 'cause')).toBe(false);
  });

  it('has subclasses with their own names', () => {
    expect(new InvalidOptionError('a', 'b', 1).name).toBe('InvalidOptionError');
    expect(new InvalidInstanceError('a', 'b', 1).name).toBe('InvalidInstanceError');
  });
});

describe('isFairleadError', () => {
  it('recognises every subclass', () => {
    expect(isFairleadError(new InvalidOptionError('a', 'b', 1))).toBe(true);
  });

  it('recognises an error of another copy of the package by its brand', () => {
    const foreign = Object.assign(new Error('x'), { [Symbol.for('fairlead.error')]: true });
    expect(isFairleadError(foreign)).toBe(true);
  });

  it.each([new Error('x'), null, undefined, 'text', {}])('refuses %s', (value) => {
    expect(isFairleadError(value)).toBe(false);
  });
});

describe('attemptsOf', () => {
  it('reads a FairleadError', () => {
    const error = new FairleadError('ERR_FAIRLEAD_CLOSED', 'x', { attempts: [RECORD] });
    expect(attemptsOf(error)).toEqual([RECORD]);
  });

  it("reads the call's story from anybody's error", () => {
    expect(attemptsOf(Object.assign(new Error('x'), { fairlead: { attempts: [RECORD] } }))).toEqual(
      [RECORD],
    );
  });

  it.each([new Error('x'), null, undefined, 'text', 5])('is empty for %s', (value) => {
    expect(attemptsOf(value)).toEqual([]);
  });
});

describe('show', () => {
  it.each([
    ['text', '"text"'],
    ['x'.repeat(200), `"${'x'.repeat(77)}..."`],
    [NaN, 'NaN'],
    [null, 'null'],
    [undefined, 'undefined'],
    [5n, '5'],
    [Symbol('s'), 'Symbol(s)'],
    [[], 'an empty array'],
    [[1], 'an array'],
    [Object.create(null), 'an object'],
    [() => 1, 'a function'],
  ])('shows %s', (value, text) => {
    expect(show(value)).toBe(text);
  });
});
