import { afterAll, beforeAll, describe, it, vi } from 'vitest';
import { adaptive } from '../../src/policies/adaptive.js';
import { bestOf } from '../../src/policies/best-of.js';
import { maglev } from '../../src/policies/maglev.js';
import { p2c } from '../../src/policies/p2c.js';
import { peakEwma } from '../../src/policies/peak-ewma.js';
import { random } from '../../src/policies/random.js';
import { rendezvous } from '../../src/policies/rendezvous.js';
import { ringHash } from '../../src/policies/ring-hash.js';
import { roundRobin } from '../../src/policies/round-robin.js';
import { serverWeighted } from '../../src/policies/server-weighted.js';
import { sticky } from '../../src/policies/sticky.js';
import { weightedRoundRobin } from '../../src/policies/weighted-round-robin.js';
import { policySuite, type PolicySuiteOptions } from '../../src/testing/policy-suite.js';
import type { Policy } from '../../src/types.js';

const IN_TURN = 'takes the instances in turn, weights aside';
const STAYS = 'a session stays although an instance joins';
const FORGETS = 'what one took is forgotten as it idles, so a light one looks faster, and has more';

/** Every built-in policy, with the cases it does not meet by design. */
const POLICIES: [title: string, make: () => Policy, options?: PolicySuiteOptions][] = [
  [
    'round-robin',
    roundRobin,
    {
      deviations: {
        weights: IN_TURN,
        'weights-in-flight': IN_TURN,
        'weights-through-rebuilds': IN_TURN,
        'many-weights': IN_TURN,
        'extreme-shares': IN_TURN,
      },
    },
  ],
  ['weighted-round-robin', weightedRoundRobin],
  ['random', random],
  ['p2c of leastRequest', p2c],
  ['p2c of peakEwma', () => p2c({ load: peakEwma() }), { deviations: { weights: FORGETS } }],
  ['adaptive', adaptive],
  ['best of 5', () => bestOf({ choices: 5 })],
  ['server-weighted', serverWeighted],
  ['rendezvous', rendezvous, { hashes: true }],
  ['rendezvous, bounded', () => rendezvous({ balanceFactor: 1.25 }), { hashes: true }],
  ['ring-hash', ringHash, { hashes: true }],
  // The usual 65,537 slots are filled afresh thousands of times here.
  ['maglev', () => maglev({ tableSize: 1_021 }), { hashes: true }],
  ['sticky', sticky, { hashes: true, deviations: { 'hash-join-share': STAYS } }],
];

// Policies that hash say once each that a call has no key: here many do, by design.
beforeAll(() => void vi.spyOn(process, 'emitWarning').mockImplementation(() => {}));
afterAll(() => void vi.restoreAllMocks());

describe.each(POLICIES)('%s', (_title, make, options) => {
  for (const { name, run } of policySuite(make, options)) it(name, run);
});
