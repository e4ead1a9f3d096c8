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

What it would take: code that V8 does not check, or other bounds. It was tried to keep what picks compare in one typed array for the set, a row of 64 bytes for each instance: in a copy of the pick \`adaptive\` took 85 ns at n = 10,000 so, but in the library 127, no less than as it is (126 beside it), and a sixth more than before at n = 10 and 100, while \`p2c\` rose from 35 to 53 at 10,000: its two numbers lie in the record, which is on the way to the instance anyway. So it was left.

The figures of the floor are of the Intel Xeon that the parts were taken apart on; the tables above are of an AMD EPYC with neighbours, where memory is farther away (p2c over 10,000: 38 ns there, 93 here). Beside the version before, in turns on this one, a pick and its end take 0.55 times as long over 10,000 instances with \`p2c\`, 0.62 with \`adaptive\`, and 0.93 to 1.06 over 4 to 100 with \`adaptive\`.`,
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
    profile: `**Where the time of a failing call goes.** More than half of it is the error that the function itself makes: V8 writes down up to ten frames of the stack with it, at some half a microsecond each. \`client.call\` sends the first attempt itself, so that three of them are Fairlead's; there were ten or more, and a failing call cost 2.9 times as much as a rejection and a call that succeeds; it is less than twice as much now.

**The ratios to the glues** shift with the machine: without a signal the glue took 8.2 times as long on an Intel Xeon, and 6.5 to 7 on the AMD EPYC that these rounds ran on, whose other tenants made the spread as wide as it is.`,
  },
  {
    name: 'http',
    title: 'HTTP, end to end',
    text: 'Requests per second through the wrapped clients beside the bare ones, to backends that cost next to nothing.',
    headings: ['Undici', 'undici', 'Axios', 'axios', 'Fetch', 'fetch'],
    profile: `**Where the time goes, undici.** About 3 us more for each request than through bare Pools that are taken in turn, sampled in a process that does nothing else: 0.7 us are \`compose\` itself (a Proxy around the dispatcher, a bound function, a second handler around the caller's), 1.8 us some sixty functions of Fairlead's of which none has more than 0.15, and 0.6 us garbage and the clock. A handler that picks and ends a lease does 0.94 of bare; with the call engine (deadline, attempt limit, breaker, retry, budget) it is 0.88, with a reply that is kept until the call has decided 0.85. An interceptor that does nothing at all costs more than half of that: in 16 lives of each with four others beside it, by CPU time and with the standard error, it does 0.90 ± 0.03 of bare Pools (an \`Agent\` without \`compose\` 1.0), one that sets the origin 0.88 ± 0.02, Fairlead's 0.84 ± 0.02, and \`FairleadAgent\`, around which nothing is composed, 0.86 ± 0.03; one by hand, which takes the better of two and counts what is in flight, 0.89 in another such run. So 0.93 is more than \`compose\` leaves to any interceptor, and what is left is what a call is for. One object for a first attempt was tried: 230 bytes less, and no time. A call alone takes 1.2 to 1.7 us on this machine, bare undici 20 to 28 us a request; with the reply that is some 2.2, or 0.90, were it not for caches that each has to itself in a process that does nothing else. What it would take: half of the engine, without deadlines or events, in a second copy of the path that matters most.

**axios and fetch.** An adapter of axios that does no more than pick and send does 0.99 of bare, one that makes a \`client.call\` 0.93 to 0.97: the call that takes 0.9 us where calls are made one after another takes 7 to 13 us there, for axios, follow-redirects and \`node:http\` run through so much code in between that none of its own is left in the processor's caches. The wrapper has another 15 us, spread alike: to leave out its agents, its copies of headers and config, signal, redirects and load reports all at once gives back 5. \`axios-retry\`, which does nothing unless a request fails, does 0.93.

**The proxies.** With a core of its own a proxy costs the client next to nothing and bare undici no more than does the path through it, so that 1.4 times of that is more than bare undici itself does.`,
  },
  {
    name: 'faults',
    title: 'Faults',
    text: 'What callers notice when instances go bad, at a constant rate of calls: latency is counted from when a call was due.',
    headings: ['slow', 'failing', 'killed', 'stopped', 'three'],
    profile: `**What the ratios of p99 are worth.** Of 500 calls per second p99 is the fifteenth slowest of the 1,500 before a fault: where nothing goes bad at all, the ratio of two such stretches is 0.9 to 2.1 here ("none", the scene without a fault; 2.1 with axios, whose process is late by 4 ms in one of a hundred turns of its loop). 1.2 cannot be told from that in single runs on a machine with two cores that load, client and four servers share; it would take cores of their own. Simulated, p99 in a single fault is 0.98 to 1.04 of that without one. In "three, one stopped" p99 is 20 to 50 ms for fetch and axios and 7 for the others: a few calls more or less at the slow one. They get there when the client's own event loop stands still for 4 to 17 ms, as it does in these two for the collection of garbage; the client takes that for latency of the one server that is left. The clients run without source maps: with \`--enable-source-maps\` a process stands still for 19 to 59 ms, once, at the first attempt that is cut.

**Out, and back.** Equal servers have equal shares at this light load ("none": 24 to 29 % of one of four, and "back" at once), a bad one is out within 0.1 s. It is back once its breaker has let a probe through, which it waits for half a second to a second, and half as long again each time that one has failed while the fault lasted, and then warms up for half as long as it was out, at its share from the beginning. That takes 1 to 4.8 s. One that hangs has no breaker opened by the one call or two that it gets at this load: it is tried again when its latency has come down, which a failure raises to 8 times what it was at most. That takes 0.9 to 3.7 s in most runs above, simulated 2 to 2.9; in two of them, axios and fetch, it was not back by the end, and why is not known: an answer that comes late as it goes on counts with all the time that it took. What it would take to be sure of less is more calls that hang while a fault lasts.`,
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
    profile: `**Where the time of a longer list goes.** Records of 10,000 instances are some megabytes, the processor keeps 2 near it. A call touches the record of each of three candidates with its numbers, and of the one it goes to the breaker, its window and the one of outlier detection: some fifteen lines of memory, of which half can be fetched side by side. A call by hand, of an object with four fields for each server and no protection at all, grows by more than 1.3 as well: see the rows by hand. What it would take to come nearer to that is no line for what a success does not alter, the windows above all: a third of what is left. One typed array for a set was tried for picks, and gave nothing.`,
  },
  {
    name: 'breakers',
    title: 'Breakers with nothing to do',
    text: 'Fairlead keeps a breaker per instance that was called, without a timer; opossum is made for it when a failure may open it.',
  },
];
