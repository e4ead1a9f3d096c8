/** Ways to make the same call, measured beside one another, round by round. */
export interface Job {
  readonly name: string;
  readonly note: string;
  readonly ways: readonly Way[];
  /** What the others are compared with. */
  readonly base: Way;
  /** Ways with an `n` begin each round anew: what was called before is what is varied. */
  readonly isAnew?: boolean;
  /** What is compared: time by the clock, or CPU time where some wait for timers. */
  readonly by: 'ns' | 'cpuNs';
}

export interface Way {
  readonly library: string;
  readonly name: string;
  /** What `prepare` is given. */
  readonly n?: number;
  /** Of what allocates so much that collections cannot be kept out of the count. */
  readonly bytes?: 'uncounted';
}

const AWAIT: Way = { library: 'plain', name: 'await' };
export const FENCED: Way = { library: 'opossum', name: 'fire, fenced' };
export const GLUE: Way = { library: 'glue', name: 'p-retry + opossum + load-balancers' };
export const GLUE_WITH_SIGNAL: Way = { library: 'glue', name: 'with AbortSignal.timeout' };
export const CALL: Way = { library: 'fairlead', name: 'call' };
export const SIGNAL_BY_HAND: Way = {
  library: 'opossum',
  name: 'AbortController + signal + fire, fenced',
};
export const SIGNAL_READ: Way = { library: 'fairlead', name: 'call, the signal read' };
export const REJECTION: Way = { library: 'plain', name: 'rejection with a new Error' };

const WINDOWS = [0, 1_000, 10_000, 100_000] as const;

export const FAILING: readonly Way[] = WINDOWS.map((n) => ({
  library: 'fairlead',
  name: 'call that fails',
  n,
}));

export const JOBS: readonly Job[] = [
  {
    name: 'a call that succeeds',
    note: 'The function does not read the signal. Glue: one opossum per instance, retried by p-retry with options written out at each call, the instance from `P2cBalancer`; the time limit is `AbortSignal.timeout`, or (without a signal, so nothing is cancelled) a timeout of opossum; lean: fenced opossums, one complete options object, a timer by hand. cockatiel makes a signal in any case.',
    by: 'ns',
    base: FENCED,
    ways: [
      FENCED,
      AWAIT,
      CALL,
      { library: 'fairlead', name: 'call, attempt.ended heard' },
      { library: 'fairlead', name: 'call, hedge on' },
      { library: 'fairlead', name: 'call, inheritDeadline' },
      { library: 'opossum', name: 'fire, defaults' },
      { library: 'p-retry', name: '{ retries: 2 }' },
      { library: 'p-retry', name: 'one complete object' },
      GLUE_WITH_SIGNAL,
      GLUE,
      { library: 'glue', name: 'lean' },
      { library: 'cockatiel', name: 'retry, breaker, timeout' },
      { library: 'moleculer', name: 'broker.call' },
    ],
  },
  {
    name: 'the same with the signal read',
    note: '',
    by: 'ns',
    base: SIGNAL_BY_HAND,
    ways: [
      SIGNAL_BY_HAND,
      { library: 'plain', name: 'await, AbortController and its signal' },
      SIGNAL_READ,
      GLUE_WITH_SIGNAL,
      { library: 'glue', name: 'lean, with a signal' },
      { library: 'cockatiel', name: 'the signal read' },
    ],
  },
  {
    name: 'a retry',
    note: 'The first attempt is refused (a new Error, ECONNREFUSED), the second succeeds. A hundred calls at a time, for cockatiel and moleculer wait for a timer: compared by CPU time. Breakers that stay closed, no pauses, no bound on retries.',
    by: 'cpuNs',
    base: { library: 'p-retry', name: 'a retry, one complete object' },
    ways: [
      { library: 'p-retry', name: 'a retry, one complete object' },
      { library: 'fairlead', name: 'call, a retry' },
      { library: 'glue', name: 'a retry', bytes: 'uncounted' },
      { library: 'glue', name: 'a retry, lean' },
      { library: 'cockatiel', name: 'a retry' },
      { library: 'moleculer', name: 'a retry' },
    ],
  },
  {
    name: 'a call that fails',
    note: 'The function rejects with a new Error, not retried; so many calls have succeeded within the window before. Breakers that stay closed, but for "all instances out", where the client has nothing left but to use those that are out.',
    by: 'ns',
    base: REJECTION,
    isAnew: true,
    ways: [
      REJECTION,
      { library: 'plain', name: 'rejection with a new Error, ten functions deep' },
      CALL,
      ...FAILING,
      { library: 'fairlead', name: 'call that fails, all instances out', n: 0 },
      ...WINDOWS.map((n) => ({ library: 'opossum', name: 'fire that fails, fenced', n })),
      ...WINDOWS.map((n) => ({
        library: 'opossum',
        name: 'fire that fails, percentiles on',
        n,
        bytes: 'uncounted' as const,
      })),
    ],
  },
];
