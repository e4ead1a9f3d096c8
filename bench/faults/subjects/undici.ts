import { BalancedPool, type Dispatcher, Pool, RetryAgent } from 'undici';
import type { Send } from '../open-loop.js';
import {
  ATTEMPT_TIMEOUT_MS,
  CALL_TIMEOUT_MS,
  check,
  origins,
  type Subject,
  type Target,
} from './subject.js';

export const TIMEOUTS = {
  headersTimeout: ATTEMPT_TIMEOUT_MS,
  bodyTimeout: ATTEMPT_TIMEOUT_MS,
  connect: { timeout: ATTEMPT_TIMEOUT_MS },
};

/** RoundRobinPool is no peer: it takes the connections to one origin in turn, not origins. */
export const UNDICI: Readonly<Record<string, Subject>> = {
  'undici BalancedPool': {
    setup: 'timeouts of 1 s, else defaults; it has no retries',
    open: (target) => asking(balancedPool(target), origins(target)[0]),
  },
  'undici BalancedPool + RetryAgent': {
    setup: 'timeouts of 1 s; one retry after 25 ms, of 500s too',
    open: (target) => {
      const retrying = new RetryAgent(balancedPool(target), {
        maxRetries: 1,
        minTimeout: 25,
        maxTimeout: 250,
        errorCodes: RETRIED,
      });
      return asking(retrying, origins(target)[0]);
    },
  },
};

/** undici's own list, and its timeouts. */
const RETRIED = [
  'ECONNRESET',
  'ECONNREFUSED',
  'ENOTFOUND',
  'ENETDOWN',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'EPIPE',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
];

function balancedPool(target: Target): BalancedPool {
  return new BalancedPool(origins(target), {
    ...TIMEOUTS,
    factory: (origin, options) => noted(new Pool(origin, options), portOf(origin), target),
  });
}

/** The same pool; each request that it is given is told of. BalancedPool asks more of it than `compose` leaves. */
function noted(pool: Pool, port: number, { onAttempt }: Target): Pool {
  const dispatch = pool.dispatch.bind(pool);
  pool.dispatch = (options, handler) => {
    onAttempt(port, Date.now());
    return dispatch(options, handler);
  };
  return pool;
}

function portOf(origin: string | URL): number {
  return Number(new URL(origin).port);
}

export function asking(dispatcher: Dispatcher, origin = ''): Send {
  return async (dueMs) => {
    const { statusCode, body } = await dispatcher.request({
      origin,
      path: '/',
      method: 'GET',
      headers: { 'x-due': String(dueMs) },
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    await body.text();
    check(statusCode);
  };
}
