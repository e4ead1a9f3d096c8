/** What the page says of one benchmark. */
export interface Section {
  readonly name: string;
  readonly title: string;
  readonly text: string;
  /** How the headings of the tables begin that are shown; the first table otherwise. */
  readonly headings?: readonly string[];
  /** Below the tables: why a goal is missed, and what it would take. */
  readonly profile?: string;
}

export const SECTIONS: readonly Section[] = [
  {
    name: 'pick',
    title: 'A pick',
    text: 'What it costs to choose one of n instances, in ns: the policy alone, without the lease and the call.',
    profile: `**Where the time goes.** \`adaptive\` is bound by instructions at n = 10 and 100, and by memory at 10,000; a sampling profile is flat over some 3.5 KB of machine code. Taken apart in copies of the pick, at n = 100: three draws by weight 13.5 ns (4.5 each: generator, alias table), that they are distinct 2.5 ns, looking up three candidates and comparing 14 ns (each access checks types, bounds and that no buffer was detached), latency and success 15 ns, of which half an exponential per pick, for every sixth candidate has nothing in flight, and the branch to it, which chance decides. At n = 10 three draws meet in a third of the picks: one more draw, and another branch that no processor guesses. The floor draws two of equal weight, which may be the same, and reads one number of each.

At n = 10,000 the records are some megabytes, and the processor keeps 2 MB near: a dependent read takes 1.8 ns of 32 KB, 5 ns of 1 MB, 15 ns of 2 MB, 30 ns of 4 MB here. A candidate is a record and the numbers that V8 keeps beside it; the one picked is followed to its instance and its port, which alone is 25 to 30 ns, and the floor, of two fields in a row, has no such way.

What it would take: code that V8 does not check, or other bounds. It was tried to keep what picks compare in one typed array for the set, a row of 64 bytes for each instance: in a copy of the pick \`adaptive\` took 85 ns at n = 10,000 so, but in the library 127, no less than as it is (125 to 142), and a sixth more than before at n = 10 and 100, while \`p2c\` rose from 35 to 53 at 10,000: its two numbers lie in the record, which is on the way to the instance anyway. So it was left.`,
  },
  {
    name: 'call',
    title: 'A call',
    text: 'What it costs to call a function that has an answer at once, in ns: all that is not work.',
    headings: [
      'A call that succeeds',
      'The same with',
      'A retry',
      'A call that fails',
      'By number',
    ],
  },
  {
    name: 'http',
    title: 'HTTP, end to end',
    text: 'Requests per second through the wrapped clients beside the bare ones, to backends that cost next to nothing.',
    headings: ['Undici', 'undici', 'Axios', 'axios', 'Fetch', 'fetch'],
  },
  {
    name: 'faults',
    title: 'Faults',
    text: 'What callers notice when instances go bad, at a constant rate of calls: latency is counted from when a call was due.',
    headings: ['slow', 'failing', 'killed', 'stopped', 'three'],
  },
  {
    name: 'memory',
    title: 'Memory',
    text: 'What instances cost that are listed, and that have been called, in bytes each.',
  },
  {
    name: 'update',
    title: 'New lists, and long ones',
    text: 'How long a new list of 10,000 instances holds up the event loop, and what a call costs over a long one.',
    headings: ['A new list', 'A longer list'],
  },
  {
    name: 'breakers',
    title: 'Breakers with nothing to do',
    text: 'Fairlead keeps a breaker per instance that was called, without a timer; opossum is made for it when a failure may open it.',
  },
];
