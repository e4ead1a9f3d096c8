import { describe, expect, it } from 'vitest';
import { deadlineHeaderName, deadlineValue } from '../../src/clients/deadline-header.js';
import type { AttemptContext } from '../../src/index.js';
import { thrownBy } from '../support/promises.js';

describe('the name of the deadline header', () => {
  it.each<[unknown, string | undefined]>([
    [undefined, undefined],
    [false, undefined],
    [true, 'x-request-timeout-ms'],
    ['X-Envoy-Expected-Rq-Timeout-Ms', 'X-Envoy-Expected-Rq-Timeout-Ms'],
  ])('of the option %j is %j', (given, name) => {
    expect(deadlineHeaderName('option', given)).toBe(name);
  });

  it.each([[''], ['two words'], ['x:'], ['tïme'], [5], [null], [['x']]])(
    'cannot be %j',
    (given) => {
      expect(thrownBy(() => deadlineHeaderName('wrapX.deadlineHeader', given))).toMatchObject({
        code: 'ERR_FAIRLEAD_INVALID_OPTION',
        option: 'wrapX.deadlineHeader',
        expected: 'true, false or an HTTP name (a token of RFC 9110)',
      });
    },
  );
});

it.each([
  [1_000, '1000'],
  [300.99, '300'],
  [1.9, '1'],
  [0.3, '1'],
  [2_147_483_647, '2147483647'],
])('tells %d ms as %j', (timeoutMs, value) => {
  expect(deadlineValue({ timeoutMs } as AttemptContext)).toBe(value);
});
