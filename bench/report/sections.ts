/** What the page says of one benchmark. */
export interface Section {
  readonly name: string;
  readonly title: string;
  readonly text: string;
  /** How the headings of the tables begin that are shown; the first table otherwise. */
  readonly headings?: readonly string[];
}

export const SECTIONS: readonly Section[] = [
  {
    name: 'pick',
    title: 'A pick',
    text: 'What it costs to choose one of n instances, in ns: the policy alone, without the lease and the call.',
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
