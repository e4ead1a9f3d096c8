import { describe, expect, it } from 'vitest';
import { toAgentError } from '../../adapters/consul/agent-error.js';
import { FairleadError } from '../../src/errors.js';

const told = (error: unknown): unknown => {
  const { kind, message } = toAgentError(error, (text) => text.replaceAll('hunter2', '***'));
  return { kind, message };
};

const coded = (message: string, code: string, more = {}): Error =>
  Object.assign(new Error(message), { code, ...more });

describe('an error of the npm client', () => {
  it('is told in one line, with its code, and without secrets', () => {
    expect(told(coded('connect\n to hunter2', 'ECONNREFUSED'))).toEqual({
      kind: 'transient',
      message: 'connect to *** (ECONNREFUSED)',
    });
    expect(told(coded('read ECONNRESET', 'ECONNRESET'))).toMatchObject({
      message: 'read ECONNRESET',
    });
    expect(told(undefined)).toEqual({ kind: 'transient', message: 'the read failed' });
  });

  it.each([
    ['self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT', {}],
    ['certificate has expired', 'CERT_HAS_EXPIRED', {}],
    [
      'wrong version number',
      'ERR_SSL_WRONG_VERSION_NUMBER',
      { message: '00D8:error:0A00010B:SSL routines:record.c:354:', reason: 'wrong version number' },
    ],
  ])('of TLS says where to look: %s', (why, code, more) => {
    expect(told(coded(why, code, more))).toEqual({
      kind: 'transient',
      message: `${why} (${code}); check the option "tls"`,
    });
  });

  it('is permanent when the package is missing: to try again does not help', () => {
    const missing = new FairleadError('ERR_FAIRLEAD_DISCOVERY', 'the package "consul" is missing');
    expect(told(missing)).toMatchObject({ kind: 'permanent' });
  });
});
