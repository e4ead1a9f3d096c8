import { toInstance } from '../../src/discovery.js';
import { InstanceState, type Learner } from '../../src/instance-state.js';
import { adaptiveLoad } from '../../src/policies/adaptive-load.js';
import { ManualClock } from '../../src/testing/manual-clock.js';

/** The real record of an instance, without a breaker. */
export function state(
  id: string,
  {
    clock = new ManualClock(),
    learner = adaptiveLoad(),
    weight = 1,
  }: { clock?: ManualClock; learner?: Learner; weight?: number } = {},
): InstanceState {
  const instance = toInstance({ id, host: 'localhost', port: 80, weight }, id);
  return new InstanceState(instance, {
    clock,
    learner,
    traffic: { inFlight: 0 },
    createBreaker: undefined,
  });
}
