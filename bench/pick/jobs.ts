/** A job that a balancer can do, with those who do it: who is measured beside whom, round by round. */
export interface Job {
  readonly name: string;
  /** Fairlead's policies, each with the peer that does most nearly the same. */
  readonly policies: Readonly<Record<string, string>>;
  readonly peers: readonly { readonly library: string; readonly name: string }[];
  /** What the peers leave out. */
  readonly note: string;
}

/** The cheapest there is, which the goals go by. */
export const FLOOR = { library: 'floor', name: 'P2C by hand, xorshift' } as const;

const LEFT_OUT =
  'By hand: two draws over objects of two fields, the lesser count in flight. No weights, no exclusions, no latency, and ' +
  'both may be the same.';

export const JOBS: readonly Job[] = [
  {
    name: 'in turn',
    policies: { 'round-robin': 'round_robin' },
    peers: [
      { library: 'grpc-js', name: 'round_robin' },
      { library: 'undici', name: 'RoundRobinPool' },
      { library: 'moleculer', name: 'RoundRobin' },
      { library: 'loadbalance', name: 'RoundRobinEngine' },
    ],
    note: 'loadbalance: a counter over a fixed array, which excludes nothing and starts again with each list.',
  },
  {
    name: 'in turn, by weight',
    policies: { 'weighted-round-robin': 'BalancedPool' },
    peers: [
      { library: 'undici', name: 'BalancedPool' },
      { library: 'loadbalance', name: 'WeightedRoundRobinEngine' },
    ],
    note: 'loadbalance: each server repeated by its weight in a fixed array, one after the other, whole weights only.',
  },
  {
    name: 'by the weight that servers report',
    policies: { 'server-weighted': 'weighted_round_robin' },
    peers: [{ library: 'grpc-js', name: 'weighted_round_robin' }],
    note: '',
  },
  {
    name: 'at random',
    policies: { random: 'WeightedRandomEngine', 'random, equal weights': 'RandomBalancer' },
    peers: [
      { library: 'loadbalance', name: 'WeightedRandomEngine' },
      { library: 'moleculer', name: 'Random' },
      { library: 'load-balancers', name: 'RandomBalancer' },
    ],
    note: 'load-balancers: a random index, without weights or exclusions; moleculer: no weights either.',
  },
  {
    name: 'the better of two',
    policies: {
      p2c: 'P2cBalancer',
      'p2c, equal weights': 'P2cBalancer',
      'least-request': 'P2cBalancer',
    },
    peers: [
      { library: 'load-balancers', name: 'P2cBalancer' },
      { library: 'floor', name: 'P2C by hand, Math.random' },
      FLOOR,
    ],
    note: `load-balancers counts picks, never what is in flight; no weights, and both choices may be the same. ${LEFT_OUT}`,
  },
  {
    name: 'by latency',
    policies: { adaptive: 'Latency', 'peak-ewma': 'Latency' },
    peers: [
      { library: 'moleculer', name: 'Latency' },
      { library: 'moleculer', name: 'CpuUsage' },
      FLOOR,
    ],
    note: `moleculer compares five by latency, three by CPU. ${LEFT_OUT}`,
  },
  {
    name: 'by key',
    policies: { rendezvous: 'Shard', 'ring-hash': 'Shard', maglev: 'Shard', sticky: 'Shard' },
    peers: [{ library: 'moleculer', name: 'Shard' }],
    note: 'A thousand keys in turn, as many as moleculer keeps the answers of; no weights.',
  },
];
