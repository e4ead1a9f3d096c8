import { FairleadError, InvalidInstanceError, InvalidOptionError } from '../../src/errors.js';
import { expect } from 'vitest';

/** As Node reports a port nobody listens on: nothing was sent. */
export function refused(): Error {
  return Object.assign(new Error('connect ECONNREFUSED'), {
    code: 'ECONNREFUSED',
    syscall: 'connect',
  });
}

/** As Node reports a connection lost on the way: the request may have been acted on. */
export function reset(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
}

export function expectInvalidOption(error: unknown, option: string, value: unknown): void {
  expect(error).toBeInstanceOf(InvalidOptionError);
  expect(error).toMatchObject({ code: 'ERR_FAIRLEAD_INVALID_OPTION', option });
  expect((error as InvalidOptionError).value).toEqual(value);
  expect((error as Error).message).toContain(`"${option}"`);
}

export function expectInvalidInstance(error: unknown, field: string, value: unknown): void {
  expect(error).toBeInstanceOf(InvalidInstanceError);
  expect(error).toMatchObject({ code: 'ERR_FAIRLEAD_INVALID_INSTANCE', field });
  expect((error as InvalidInstanceError).value).toEqual(value);
  expect((error as Error).message).toContain(`"${field}"`);
}

export function expectCode(error: unknown, code: FairleadError['code']): void {
  expect(error).toBeInstanceOf(FairleadError);
  expect(error).toMatchObject({ code });
}
