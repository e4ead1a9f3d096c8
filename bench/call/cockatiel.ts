import {
  circuitBreaker,
  ConstantBackoff,
  handleAll,
  type IPolicy,
  retry,
  SamplingBreaker,
  timeout,
  TimeoutStrategy,
  wrap,
} from 'cockatiel';
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
  servers,
} from './subject.js';

/** A breaker and a timeout per instance, and a retry around a pick at random. It makes a signal in any case. */
export const cockatiel: readonly CallSubject[] = [
  subject('retry, breaker, timeout', inTurn, () => noop()),
  subject('the signal read', inTurn, (_attempt, signal) => reading(signal)),
  subject('a retry', atOnce, (attempt) => (attempt === 0 ? refused() : noop())),
];

function subject(
  name: string,
  runs: (call: () => Promise<unknown>) => Prepared['run'],
  send: (attempt: number, signal: AbortSignal) => Promise<number>,
): CallSubject {
  return {
    library: 'cockatiel',
    name,
    prepare() {
      const retries = retry(handleAll, { maxAttempts: 2, backoff: new ConstantBackoff(0) });
      const instances: readonly IPolicy[] = servers(INSTANCES).map(() =>
        wrap(
          circuitBreaker(handleAll, {
            halfOpenAfter: 1_000,
            // At half of all calls failing it stays closed.
            breaker: new SamplingBreaker({ threshold: 0.9, duration: 10_000 }),
          }),
          timeout(ATTEMPT_TIMEOUT_MS, TimeoutStrategy.Cooperative),
        ),
      );
      const pick = (): IPolicy => {
        const picked = instances[Math.floor(Math.random() * instances.length)];
        if (picked === undefined) throw new Error('no instance');
        return picked;
      };
      return {
        run: runs(() =>
          retries.execute(({ attempt }) => pick().execute(({ signal }) => send(attempt, signal))),
        ),
      };
    },
  };
}
