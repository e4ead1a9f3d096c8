/** The scenarios that the default policy is measured by; each gives one figure from a policy and a seed. */
import type { PolicyName } from '../../src/options.js';
import { exponentialMs, good, percentileMs, shareOf } from './servers.js';
import { type Sent, type Server, simulate } from './simulate.js';

/** Share of the calls that go to one of n that fails in 1 ms, where the others answer in about 50 ms; 60 s at 100/s. */
export async function blackHole(
  policy: PolicyName,
  n: number,
  seed: number,
  serve?: Server['serve'],
): Promise<number> {
  const bad: Server = { id: 'bad', serve: () => ({ ms: 1, outcome: 'failure' }) };
  const others = good(n - 1).map((server) => ({ ...server, serve: serve ?? server.serve }));
  const servers = [bad, ...others];
  const sent = await simulate({ policy, servers, perSecond: 100, durationMs: 60_000, seed });
  return shareOf(sent, 'bad');
}

/**
 * Share of the calls that go to 2 of 4 that take 2 s, where the others answer in about 50 ms; 60 s at 1,000/s, the first
 * second aside: nobody knows which are slow before the first answers.
 */
export async function slowPair(policy: PolicyName, seed: number): Promise<number> {
  const slow = ['slow0', 'slow1'].map((id): Server => ({ id, serve: () => ({ ms: 2_000 }) }));
  const servers = [...slow, ...good(2)];
  const sent = await simulate({ policy, servers, perSecond: 1_000, durationMs: 60_000, seed });
  return shareOf(sent, 'slow', 1_000);
}

/** An eleventh instance joins, takes 2 s a call for 8 s, then 50 ms; 1,000/s. */
export async function coldJoiner(
  policy: PolicyName,
  seed: number,
): Promise<{
  /** Its share of the calls in its first 0.5 s. */
  readonly early: number;
  /** Its share of the calls from 12 s after it became fast on, over its fair one of 1/11. */
  readonly later: number;
}> {
  const joiner: Server = {
    id: 'joiner',
    joinsAtMs: 20_000,
    serve: (nowMs) => ({ ms: nowMs < 28_000 ? 2_000 : 50 }),
  };
  const servers = [...good(10), joiner];
  const sent = await simulate({ policy, servers, perSecond: 1_000, durationMs: 50_000, seed });
  return {
    early: shareOf(sent, 'joiner', 20_000, 20_500),
    later: shareOf(sent, 'joiner', 40_000) * 11,
  };
}

/** p99 in ms where each of n, with two workers, fails 1 % of its calls at once; 85 % load, 50 ms exponential. */
export async function ambientErrors(policy: PolicyName, n: number, seed: number): Promise<number> {
  const servers = Array.from({ length: n }, (_, i): Server => ({
    id: `s${String(i)}`,
    workers: 2,
    serve: (_nowMs, rng) =>
      rng.next() < 0.01 ? { ms: 1, outcome: 'failure' } : { ms: exponentialMs(rng, 50) },
  }));
  const perSecond = (0.85 * n * 2 * 1_000) / 50;
  const sent: Sent[] = await simulate({ policy, servers, perSecond, durationMs: 60_000, seed });
  return percentileMs(sent, 0.99);
}

/**
 * Share of the calls that have to queue where 1 in 500 takes 3 s, anywhere, the others 50 ms; n of 16 workers each at
 * 60 % load. The slow calls say nothing of the instances: only a policy that blames them makes others queue.
 */
export async function heavyTail(policy: PolicyName, n: number, seed: number): Promise<number> {
  const LONG_MS = 3_000;
  const SHORT_MS = 50;
  const servers = Array.from({ length: n }, (_, i): Server => ({
    id: `s${String(i)}`,
    workers: 16,
    serve: (_nowMs, rng) => ({ ms: rng.next() < 1 / 500 ? LONG_MS : SHORT_MS }),
  }));
  const meanMs = SHORT_MS + (LONG_MS - SHORT_MS) / 500;
  const perSecond = (0.6 * n * 16 * 1_000) / meanMs;
  const sent = await simulate({ policy, servers, perSecond, durationMs: 60_000, seed });
  // Times are sums of doubles.
  const queued = sent.filter(({ ms }) => {
    const served = ms < LONG_MS - 1 ? SHORT_MS : LONG_MS;
    return ms - served > 1;
  });
  return queued.length / sent.length;
}

/**
 * Share of the calls that one gets that is due 5 % of them by weight, beside three others; all take 5 ms and an exponential
 * 20 more. The first 10 s aside: nothing is known then.
 */
export async function canary(policy: PolicyName, perSecond: number, seed: number): Promise<number> {
  const servers = [3, 19, 19, 19].map((weight, i): Server => ({
    id: i === 0 ? 'canary' : `s${String(i)}`,
    weight,
    serve: (_nowMs, rng) => ({ ms: 5 + exponentialMs(rng, 20) }),
  }));
  const durationMs = 10_000 + 20_000_000 / perSecond;
  const sent = await simulate({ policy, servers, perSecond, durationMs, seed });
  return shareOf(sent, 'canary', 10_000);
}
