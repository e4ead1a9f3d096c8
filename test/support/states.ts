import { toInstance } from '../../src/discovery.js';
import { InstanceState } from '../../src/instance-state.js';
import { adaptiveLoad } from '../../src/policies/adaptive-load.js';
import { ManualClock } from '../../src/testing/manual-clock.js';

/** The real record of an instance, without a breaker. */
export function state(
  id: string,
  { clock = new ManualClock(), learner = adaptiveLoad(), weight = 1 } = {},
): InstanceState {
  const instance = toInstance({ id, host: 'localhost', port: 80, weight }, id);
  return new InstanceState(instance, {
    clock,
    learner,
    traffic: { inFlight: 0 },
    createBreaker: undefined,
  });
}
