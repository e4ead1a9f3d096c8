import { type Candidate, type Client, createClient, type Env, type Policy } from 'fairlead';
import { memoryAdapter } from 'fairlead/testing';

/** A service in the middle of its work: weights of 1 to 3, latencies measured, attempts in flight. */
export interface StagedService {
  readonly client: Client;
  readonly candidates: readonly Candidate[];
  readonly env: Env;
}

/** Runs `n` instances through a client of `policy`, and leaves 0 to 5 attempts in flight at each. */
export async function stagedService(
  policy: Policy,
  n: number,
  weightOf = (i: number): number => 1 + (i % 3),
): Promise<StagedService> {
  const real = await libraryEnv();
  let aheadMs = 0;
  const env: Env = {
    clock: { ...real.clock, now: () => real.clock.now() + aheadMs },
    rng: real.rng,
  };
  let candidates: readonly Candidate[] = [];
  let target: Candidate | undefined;
  let staging = true;
  const discovery = memoryAdapter(instances(n, weightOf));
  const client = createClient({
    service: 'bench',
    discovery,
    breaker: false,
    env,
    policy: {
      name: policy.name,
      load: policy.load,
      build(list) {
        candidates = list;
        return staging ? { pick: () => target } : policy.build(list, env);
      },
    },
  });
  await client.ready();
  client.explain(); // has the picker built

  const attempt = (candidate: Candidate | undefined): ReturnType<Client['pick']> => {
    target = candidate;
    return client.pick();
  };
  // All begin together and end in the order of their latency, 20 to 80 ms: the past is short at any `n`. What the
  // servers report counts from the second report on, for policies that distrust the first ten seconds.
  for (const pauseMs of [0, 12_000]) {
    aheadMs += pauseMs;
    const leases = candidates.map(attempt);
    leases.forEach((lease, i) => {
      if (i % Math.ceil(n / 60) === 0) aheadMs += Math.max(1, 60 / n);
      lease.report({ qps: 100, utilization: 0.3 + (i % 5) / 10 });
      lease.end('success');
    });
  }
  candidates.forEach((candidate, i) => {
    for (let pending = (i * 7) % 6; pending > 0; pending--) attempt(candidate);
  });

  staging = false;
  const changed = new Promise<void>((resolve) => {
    client.on('instances.changed', () => {
      resolve();
    });
  });
  discovery.set(
    instances(n, weightOf).map((spec, i) => (i === 0 ? { ...spec, tags: ['staged'] } : spec)),
  );
  await changed;
  client.explain();
  return { client, candidates, env };
}

/** The clock and randomness that a client uses when it is given none. */
async function libraryEnv(): Promise<Env> {
  return new Promise((resolve) => {
    const client = createClient({
      service: 'bench',
      discovery: memoryAdapter([{ host: '10.0.0.1', port: 1 }]),
      policy: {
        name: 'recorder',
        build(candidates, env) {
          resolve(env);
          return { pick: () => candidates[0] };
        },
      },
    });
    void client.ready().then(() => {
      client.explain();
      return client.close();
    });
  });
}

function instances(
  n: number,
  weightOf: (i: number) => number,
): { host: string; port: number; weight: number }[] {
  return Array.from({ length: n }, (_, i) => ({
    host: '10.0.0.1',
    port: i + 1,
    weight: weightOf(i),
  }));
}
