import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { InvalidOptionError } from '../src/errors.js';
import {
  type HealthCheckOptions,
  resolveHealthCheck,
  resolveOutlierDetection,
} from '../src/health-options.js';
import { expectInvalidOption } from './support/errors.js';
import { thrownBy } from './support/promises.js';

const pem = (name: string): Buffer =>
  readFileSync(new URL(`integration/tls/${name}.pem`, import.meta.url));

const check = (): boolean => true;

function refusal(options: unknown): unknown {
  return thrownBy(() => resolveHealthCheck(options as HealthCheckOptions));
}

function httpRefusal(http: Record<string, unknown>): unknown {
  return refusal({ http: { path: '/', ...http } });
}

describe('health checks', () => {
  it('are off by default', () => {
    expect(resolveHealthCheck()).toBeUndefined();
    expect(resolveHealthCheck(false)).toBeUndefined();
  });

  it('have the defaults of the documentation', () => {
    expect(resolveHealthCheck({ check })).toEqual({
      probe: { kind: 'function', check },
      intervalMs: 5_000,
      timeoutMs: 2_000,
      healthyThreshold: 2,
      unhealthyThreshold: 3,
      concurrency: 20,
    });
  });

  it('ask by http, by tcp or by a function', () => {
    const http = { path: '/health' };
    expect(resolveHealthCheck({ http })?.probe).toEqual({ kind: 'http', http });
    expect(resolveHealthCheck({ tcp: true })?.probe).toEqual({ kind: 'tcp', port: undefined });
    expect(resolveHealthCheck({ tcp: { port: 81 } })?.probe).toEqual({ kind: 'tcp', port: 81 });
  });

  it.each([
    [{}, 'none'],
    [{ http: undefined, intervalMs: 5 }, 'none'],
    [{ http: { path: '/' }, tcp: true }, 'http and tcp'],
    [{ http: { path: '/' }, tcp: true, check }, 'http and tcp and check'],
  ])('ask in one way: %j', (options, got) => {
    const error = refusal(options) as InvalidOptionError;
    expect(error.option).toBe('healthCheck');
    expect(error.message).toBe(
      `Option "healthCheck" must have exactly one of http, tcp and check; got ${got}.`,
    );
  });

  it.each([
    ['healthCheck', true],
    ['healthCheck', null],
    ['healthCheck', '/health'],
  ])('are refused: %s %j', (option, value) => {
    expectInvalidOption(refusal(value), option, value);
  });

  it.each([
    ['intervalMs', 0],
    ['intervalMs', NaN],
    ['intervalMs', '5s'],
    ['timeoutMs', -1],
    ['timeoutMs', 2 ** 31],
    ['healthyThreshold', 0],
    ['unhealthyThreshold', 1.5],
    ['concurrency', 0],
    ['concurrency', Infinity],
    ['interval', 5],
    ['check', 5],
    ['tcp', false],
    ['tcp', null],
    ['http', null],
    ['http', '/health'],
  ])('refuse %s %j', (key, value) => {
    const probe = ['check', 'tcp', 'http'].includes(key) ? {} : { check };
    expectInvalidOption(refusal({ ...probe, [key]: value }), `healthCheck.${key}`, value);
  });

  it.each([0, 65_536, 1.5, '80'])('refuse the TCP port %j', (port) => {
    expectInvalidOption(refusal({ tcp: { port } }), 'healthCheck.tcp.port', port);
  });
});

describe('an HTTP check', () => {
  it.each([
    { path: '/health?deep=1&name=%20' },
    { roles: { primary: '/primary', standby: '/replica' } },
    { path: '/', method: 'HEAD', expectedStatus: 204 },
    { path: '/', headers: { 'x-token': 'a b', host: 'db' }, expectedStatus: [200, 429] },
    { path: '/', expectedBody: /ok/, method: 'OPTIONS', port: 81, protocol: 'http' },
    { path: '/', tls: { ca: pem('cert'), servername: 'db' }, protocol: 'https' },
    { path: '/', tls: { ca: [pem('cert').toString()], cert: pem('cert'), key: pem('key') } },
    { path: '/', tls: {} },
  ] as const)('can be %j', (http) => {
    expect(resolveHealthCheck({ http })?.probe).toEqual({ kind: 'http', http });
  });

  it.each([
    [{}, 'none'],
    [{ path: '/', roles: { primary: '/primary' } }, 'path and roles'],
  ])('has a path or roles: %j', (http, got) => {
    const { option, message } = refusal({ http }) as InvalidOptionError;
    expect(option).toBe('healthCheck.http');
    expect(message).toContain(`must have either path or roles; got ${got}.`);
  });

  it.each([
    ['path', 'health'],
    ['path', ''],
    ['path', '/a b'],
    ['path', '/a\nb'],
    ['path', '/grün'],
    ['path', 5],
    ['method', 'POST'],
    ['method', 'get'],
    ['protocol', 'tcp'],
    ['port', 0],
    ['port', '80'],
    ['expectedBody', ''],
    ['expectedBody', 5],
    ['paths', 5],
  ])('is refused with %s %j', (key, value) => {
    expectInvalidOption(httpRefusal({ [key]: value }), `healthCheck.http.${key}`, value);
  });

  it.each([
    ['roles', 'primary'],
    ['roles', {}],
    ['roles', { '': '/primary' }],
    ['roles.primary', 'primary', { primary: 'primary' }],
    ['roles.standby', undefined, { primary: '/primary', standby: undefined }],
  ])('is refused with %s %j', (option, value, roles = value) => {
    expectInvalidOption(refusal({ http: { roles } }), `healthCheck.http.${option}`, value);
  });

  it.each([
    [99, 99],
    [101, 101],
    [600, 600],
    ['200', '200'],
    [[200, 0], 0],
    [[], []],
    [null, null],
  ])('is refused with the status %j', (expectedStatus, value) => {
    expectInvalidOption(httpRefusal({ expectedStatus }), 'healthCheck.http.expectedStatus', value);
  });

  it('expects no body of HEAD', () => {
    const error = httpRefusal({ method: 'HEAD', expectedBody: 'ok' });
    expectInvalidOption(error, 'healthCheck.http.expectedBody', 'ok');
    expect((error as Error).message).toContain('HEAD');
  });
});

describe('what may be a secret is not shown', () => {
  const SECRET = 'hunter2';

  function expectHidden(error: unknown, option: string): void {
    expect(error).toMatchObject({ code: 'ERR_FAIRLEAD_INVALID_OPTION', option });
    expect(JSON.stringify(error) + String(error)).not.toContain(SECRET);
  }

  it.each([
    ['a value with a line break', { 'x-token': `${SECRET}\n` }, 'x-token'],
    ['a value that is no string', { 'x-token': [SECRET] }, 'x-token'],
    ['a name with a space', { 'x token': SECRET }, 'x token'],
    ['no object', `x-token: ${SECRET}`, ''],
  ])('of a header: %s', (_, headers, name) => {
    expectHidden(httpRefusal({ headers }), `healthCheck.http.headers${name && `.${name}`}`);
  });

  const cert = pem('cert');
  const key = pem('key');
  it.each([
    ['tls', SECRET],
    ['tls.secret', { secret: SECRET }],
    ['tls.ca', { ca: SECRET }],
    ['tls.ca', { ca: [cert, `/etc/${SECRET}.pem`] }],
    ['tls.ca', { ca: [] }],
    ['tls.ca', { ca: 5 }],
    ['tls.cert', { cert: { SECRET }, key }],
    ['tls.key', { cert, key: [SECRET] }],
    ['tls', { cert }],
    ['tls', { key: SECRET }],
    ['tls', { cert, key: SECRET }],
    ['tls', { cert: SECRET, key }],
    ['tls.servername', { servername: '' }],
  ])('%s: case %#', (option, tls) => {
    expectHidden(httpRefusal({ tls }), `healthCheck.http.${option}`);
  });

  it('tls where nothing is encrypted', () => {
    const tls = { cert, key };
    expectHidden(httpRefusal({ tls, protocol: 'http' }), 'healthCheck.http.tls');
  });

  it('but what is wrong with a certificate is told', () => {
    const { message } = httpRefusal({ tls: { cert, key: SECRET } }) as Error;
    expect(message).toMatch(/"healthCheck.http.tls" must be a certificate in PEM and its key/);
  });
});

describe('outlier detection', () => {
  it('has the defaults of the documentation', () => {
    const defaults = {
      successRatio: 0.8,
      minAttempts: 10,
      windowMs: 10_000,
      maxEjectedRatio: 0.5,
    };
    expect(resolveOutlierDetection()).toEqual(defaults);
    expect(resolveOutlierDetection({ windowMs: undefined })).toEqual(defaults);
    expect(resolveOutlierDetection({ successRatio: 0, maxEjectedRatio: 1 })).toEqual({
      ...defaults,
      successRatio: 0,
      maxEjectedRatio: 1,
    });
  });

  it('is off where it is false', () => {
    expect(resolveOutlierDetection(false)).toBeUndefined();
  });

  it.each([
    ['successRatio', 1.1],
    ['successRatio', -0.1],
    ['minAttempts', 0],
    ['minAttempts', 2.5],
    ['windowMs', 99],
    ['maxEjectedRatio', 2],
    ['ratio', 0.5],
  ])('refuses %s %j', (key, value) => {
    const error = thrownBy(() => resolveOutlierDetection({ [key]: value }));
    expectInvalidOption(error, `outlierDetection.${key}`, value);
  });

  it.each([true, null, 0.5])('refuses %j', (given) => {
    const error = thrownBy(() => resolveOutlierDetection(given as unknown as false));
    expectInvalidOption(error, 'outlierDetection', given);
  });
});
