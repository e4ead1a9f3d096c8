import { P2cBalancer } from 'load-balancers';
import CircuitBreaker from 'opossum';
import pRetry, { AbortError } from 'p-retry';
import { Pool } from 'undici';
import type { Send } from '../open-loop.js';
import { ATTEMPT_TIMEOUT_MS, check, origins, type Subject, type Target } from './subject.js';
import { TIMEOUTS } from './undici.js';

/** What one writes by hand: a breaker per backend, the balancer asked again for one that is closed, a retry around all. */
function glue(setup: string, retries: number): Subject {
  return {
    setup,
    open: (target) => {
      const breakers = breakersOver(target);
      const balancer = new P2cBalancer(breakers.length);
      const pick = (): CircuitBreaker<[number]> => {
        let breaker = breakers[balancer.pick()];
        for (let i = 0; i < breakers.length && breaker?.opened === true; i++) {
          breaker = breakers[balancer.pick()];
        }
        if (breaker === undefined) throw new AbortError('no backend');
        return breaker;
      };
      const send: Send = async (dueMs) => {
        await pRetry(() => pick().fire(dueMs), {
          retries,
          minTimeout: 25,
          maxTimeout: 250,
          randomize: true,
        });
      };
      return send;
    },
  };
}

function breakersOver(target: Target): CircuitBreaker<[number]>[] {
  return origins(target).map((origin, i) => {
    const pool = new Pool(origin, TIMEOUTS);
    const ask = async (dueMs: number): Promise<void> => {
      target.onAttempt(target.ports[i] ?? 0, Date.now());
      const headers = { 'x-due': String(dueMs) };
      const { statusCode, body } = await pool.request({ path: '/', method: 'GET', headers });
      await body.text();
      check(statusCode);
    };
    return new CircuitBreaker(ask, {
      timeout: ATTEMPT_TIMEOUT_MS,
      errorThresholdPercentage: 50,
      volumeThreshold: 10,
      resetTimeout: 1_000,
    });
  });
}

const SETUP = 'undici Pools; breakers: 1 s timeout, 50 % of 10 or more in 10 s, open for 1 s';

export const GLUE: Readonly<Record<string, Subject>> = {
  'opossum + p-retry + load-balancers': glue(`${SETUP}; one retry after 25 to 50 ms`, 1),
  'opossum + load-balancers, no retries': glue(SETUP, 0),
};
