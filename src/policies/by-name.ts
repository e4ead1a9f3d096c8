import { InvalidOptionError } from '../errors.js';
import type { PolicyName } from '../options.js';
import type { Policy } from '../types.js';
import { checkFunction, checkString, isObject } from '../validate.js';
import { adaptive } from './adaptive.js';
import { bestOf } from './best-of.js';
import { maglev } from './maglev.js';
import { p2c } from './p2c.js';
import { peakEwma } from './peak-ewma.js';
import { random } from './random.js';
import { rendezvous } from './rendezvous.js';
import { ringHash } from './ring-hash.js';
import { roundRobin } from './round-robin.js';
import { serverWeighted } from './server-weighted.js';
import { sticky } from './sticky.js';
import { weightedRoundRobin } from './weighted-round-robin.js';

const BY_NAME: Readonly<Record<PolicyName, () => Policy>> = {
  adaptive,
  'peak-ewma': () => ({ ...p2c({ load: peakEwma() }), name: 'peak-ewma' }),
  p2c,
  'least-request': bestOf,
  'round-robin': roundRobin,
  'weighted-round-robin': weightedRoundRobin,
  'server-weighted': serverWeighted,
  random,
  rendezvous,
  'ring-hash': ringHash,
  maglev,
  sticky,
};

/** The policy that the option `policy` means: a built-in by name, or one of the user's. */
export function resolvePolicy(policy: PolicyName | Policy): Policy {
  if (typeof policy === 'string' && Object.hasOwn(BY_NAME, policy)) return BY_NAME[policy]();
  const given: unknown = policy;
  if (!isObject(given)) {
    const names = Object.keys(BY_NAME).map((name) => `"${name}"`);
    throw new InvalidOptionError('policy', `one of ${names.join(', ')}, or a Policy`, given);
  }
  checkString('policy.name', given['name']);
  if (typeof given['of'] === 'function') {
    throw new InvalidOptionError('policy', 'a Policy, not a Load: p2c({ load })', given);
  }
  checkFunction('policy.build', given['build']);
  return given as unknown as Policy;
}
