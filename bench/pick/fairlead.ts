import {
  adaptive,
  bestOf,
  type CallContext,
  type Lease,
  maglev,
  p2c,
  peakEwma,
  type Policy,
  random,
  rendezvous,
  ringHash,
  roundRobin,
  serverWeighted,
  sticky,
  weightedRoundRobin,
} from 'fairlead';
import { type StagedService, stagedService } from './staged-service.js';
import { cycle, HASH_KEYS, type Subject } from './subject.js';

/** The built-in policies, and once more with equal weights where a peer knows none. */
const POLICIES: Readonly<Record<string, () => Policy>> = {
  'round-robin': roundRobin,
  'weighted-round-robin': weightedRoundRobin,
  random,
  'random, equal weights': random,
  p2c,
  'p2c, equal weights': p2c,
  'peak-ewma': () => p2c({ load: peakEwma() }),
  'least-request': bestOf,
  adaptive,
  'server-weighted': serverWeighted,
  rendezvous,
  'ring-hash': ringHash,
  maglev,
  sticky,
};
const HASHING: readonly string[] = ['rendezvous', 'ring-hash', 'maglev', 'sticky'];

const stage = (name: string, policy: Policy, n: number): Promise<StagedService> =>
  stagedService(policy, n, name.endsWith('equal weights') ? () => 1 : undefined);

const NONE: ReadonlySet<string> = new Set();

/** The picker alone: what the choice itself costs. */
export const pickers: readonly Subject[] = Object.entries(POLICIES).map(([name, policy]) => ({
  library: 'fairlead',
  name,
  async prepare(n) {
    const configured = policy();
    const { candidates, env } = await stage(name, configured, n);
    const start = performance.now();
    const picker = configured.build(candidates, env);
    const buildMs = performance.now() - start;
    const nowMs = env.clock.now();
    const keys = HASHING.includes(name) ? HASH_KEYS : ([undefined] as const);
    const contexts = keys.map((hashKey) => ({
      nowMs,
      excluded: NONE,
      hashKey,
      inFlight: Math.round(2.5 * n),
    }));
    const next = cycle(contexts as [CallContext, ...CallContext[]]);
    const others = candidates.slice(1);
    return {
      buildMs,
      pick(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) sum += picker.pick(next())?.instance.port ?? 0;
        return sum;
      },
      update: () => configured.build(others, env, picker),
    };
  },
}));

/** The whole way: `client.pick()`, and the end of its lease. */
export const clients: readonly Subject[] = Object.entries(POLICIES).map(([name, policy]) => ({
  library: 'fairlead client',
  name,
  async prepare(n) {
    const { client } = await stage(name, policy(), n);
    const next = cycle([{ hashKey: 'user-0' }, ...HASH_KEYS.map((hashKey) => ({ hashKey }))]);
    const pick = HASHING.includes(name)
      ? (): Lease => client.pick(next())
      : (): Lease => client.pick();
    return {
      pick(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) {
          const lease = pick();
          sum += lease.instance.port;
          lease.end('success');
        }
        return sum;
      },
    };
  },
}));

/** A lease begun and ended, without a pick: what `client.pick()` cannot do without. */
export const leaseAlone: Subject = {
  library: 'fairlead lease',
  name: 'lease',
  async prepare(n) {
    const { candidates, env } = await stagedService(p2c(), n);
    const next = cycle(candidates.map(({ state }) => state as unknown as Begins) as [Begins]);
    return {
      pick(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) {
          const lease = next().begin(env.clock.now());
          sum += lease.instance.port;
          lease.end('success');
        }
        return sum;
      },
    };
  },
};

/** What the record of an instance can do beyond its public face. */
interface Begins {
  begin(nowMs: number): Lease;
}
