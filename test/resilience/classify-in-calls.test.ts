import { describe, expect, it } from 'vitest';
import type { ClientOptions } from '../../src/options.js';
import type { AttemptRecord } from '../../src/types.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { fixedRng, rig, row } from '../support/fixtures.js';

/** No pause before a retry; a breaker that opens at the second failure in a row. */
function quick(): Partial<ClientOptions> {
  return {
    breaker: { consecutiveFailures: 2 },
    policy: 'round-robin',
    env: { clock: new ManualClock(), rng: fixedRng(0) },
  };
}

/** As axios tells of a connection that was idle and closed, seen only when it is used. */
function closedIdle(): Error {
  return Object.assign(new Error('socket hang up'), {
    code: 'ECONNRESET',
    request: { _currentRequest: { reusedSocket: true } },
  });
}

describe('an idle connection that was closed', () => {
  it('is retried on another instance when the call is idempotent, and blames nobody', async () => {
    const { client } = await rig(['a', 'b'], quick());
    const records: AttemptRecord[] = [];
    for (let call = 0; call < 8; call++) {
      const answer = await client.call(
        ({ instance: { id } }) => (id === 'a' ? Promise.reject(closedIdle()) : id),
        { idempotent: true, onAttempt: (record) => records.push(record) },
      );
      expect(answer).toBe('b');
    }
    const ofA = records.filter(({ instanceId }) => instanceId === 'a');
    expect(ofA.length).toBeGreaterThanOrEqual(3);
    for (const record of ofA) {
      expect(record).toMatchObject({ kind: 'first', outcome: 'ignored', error: 'ECONNRESET' });
    }
    const retries = records.filter(({ kind }) => kind === 'retry');
    expect(retries.map(({ instanceId }) => instanceId)).toEqual(ofA.map(() => 'b'));
    expect(row(client, 'a')).toMatchObject({ breaker: 'closed' });
    await client.close();
  });

  it('is not sent again when the call is not idempotent, for it may have been received', async () => {
    const { client } = await rig(['a', 'b'], quick());
    let sent = 0;
    const error = closedIdle();
    await expect(
      client.call(() => {
        sent++;
        throw error;
      }),
    ).rejects.toBe(error);
    expect(sent).toBe(1);
    await client.close();
  });

  it('differs from a new connection that was reset, which opens the breaker', async () => {
    const { client } = await rig(['a', 'b'], quick());
    const reset = (): Error => Object.assign(closedIdle(), { request: { reusedSocket: false } });
    for (let call = 0; call < 8; call++) {
      const answer = await client.call(
        ({ instance: { id } }) => (id === 'a' ? Promise.reject(reset()) : id),
        { idempotent: true },
      );
      expect(answer).toBe('b');
    }
    expect(row(client, 'a')).toMatchObject({ breaker: 'open' });
    await client.close();
  });
});

describe('a request that provably was not acted on', () => {
  it('goes to another instance at once, idempotent or not, and not to the same where that is vain', async () => {
    const misdirected = { statusCode: 421, headers: {} };
    const two = await rig(['a', 'b'], quick());
    const answers = await two.client.call(({ attempt }) => (attempt === 1 ? misdirected : 'done'));
    expect(answers).toBe('done');
    await two.client.close();

    const one = await rig(['a'], quick());
    let sent = 0;
    const answer = await one.client.call(() => {
      sent++;
      return misdirected;
    });
    expect(answer).toBe(misdirected);
    expect(sent).toBe(1);
    expect(row(one.client, 'a')).toMatchObject({ breaker: 'closed' });
    await one.client.close();
  });
});
