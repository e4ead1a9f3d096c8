/** What a team writes that has p-retry, opossum and load-balancers, and no Fairlead. */
import { P2cBalancer } from 'load-balancers';
import CircuitBreaker from 'opossum';
import pRetry, { type Options } from 'p-retry';
import { FENCED } from './opossum.js';
import { COMPLETE } from './p-retry.js';
import {
  atOnce,
  ATTEMPT_TIMEOUT_MS,
  type CallSubject,
  inTurn,
  INSTANCES,
  noop,
  type Prepared,
  reading,
  refused,
  type Server,
  servers,
} from './subject.js';

/** One attempt at one server. */
type Send = (server: Server, attempt: number, signal?: AbortSignal) => Promise<number>;

interface Glue {
  readonly send: Send;
  readonly breaker?: CircuitBreaker.Options;
  /** Made anew by each call, as p-retry's README has it, unless one is kept. */
  readonly retry: () => Options;
  readonly signal?: () => AbortSignal;
}

const IDIOMATIC = {
  breaker: { timeout: ATTEMPT_TIMEOUT_MS, resetTimeout: 1_000 },
  retry: () => ({ retries: 2, minTimeout: 25, maxTimeout: 250, randomize: true }),
};
/** Constant options, nothing that opossum can do without, a timer by hand. */
const LEAN = { breaker: FENCED, retry: () => COMPLETE };
const CLOSED = { volumeThreshold: 1_000_000_000 };

const answer: Send = () => noop();
const answerRead: Send = (_server, _attempt, signal) =>
  signal === undefined ? noop() : reading(signal);
const answerLater: Send = (_server, attempt) => (attempt === 1 ? refused() : noop());

export const glue: readonly CallSubject[] = [
  subject('p-retry + opossum + load-balancers', { ...IDIOMATIC, send: answer }),
  subject('lean', { ...LEAN, send: inTime(answer) }),
  subject('with AbortSignal.timeout', {
    ...IDIOMATIC,
    breaker: { ...IDIOMATIC.breaker, timeout: false },
    signal: () => AbortSignal.timeout(ATTEMPT_TIMEOUT_MS),
    send: answerRead,
  }),
  subject('lean, with a signal', { ...LEAN, send: abortedInTime(answerRead) }),
  subject(
    'a retry',
    {
      // No pause: it is not waiting that is measured.
      retry: () => ({ retries: 2, minTimeout: 0, maxTimeout: 250, randomize: true }),
      breaker: { ...IDIOMATIC.breaker, ...CLOSED },
      send: answerLater,
    },
    atOnce,
  ),
  subject(
    'a retry, lean',
    { ...LEAN, breaker: { ...FENCED, ...CLOSED }, send: inTime(answerLater) },
    atOnce,
  ),
];

function subject(
  name: string,
  glued: Glue,
  runs: (call: () => Promise<unknown>) => Prepared['run'] = inTurn,
): CallSubject {
  return {
    library: 'glue',
    name,
    prepare() {
      const { send, retry, signal } = glued;
      const breakers = servers(INSTANCES).map(
        (server) =>
          new CircuitBreaker(
            (attempt: number, given?: AbortSignal) => send(server, attempt, given),
            { ...glued.breaker },
          ),
      );
      const balancer = new P2cBalancer(breakers.length);
      const once = (attempt: number): Promise<number> => {
        const breaker = breakers[balancer.pick()];
        if (breaker === undefined) throw new Error('no such server');
        return breaker.fire(attempt, signal?.());
      };
      return {
        run: runs(() => pRetry(once, retry())),
        close: () => breakers.forEach((breaker) => breaker.shutdown()),
      };
    },
  };
}

/** With a time limit, and no signal. */
function inTime(send: Send): Send {
  return (server, attempt) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('timeout')), ATTEMPT_TIMEOUT_MS);
      send(server, attempt).then(
        (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(error);
        },
      );
    });
}

/** With a time limit that aborts a signal. */
function abortedInTime(send: Send): Send {
  return async (server, attempt) => {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), ATTEMPT_TIMEOUT_MS);
    try {
      return await send(server, attempt, controller.signal);
    } finally {
      clearTimeout(timer);
    }
  };
}
