import { toInstance } from '../../src/discovery.js';
import { InstanceState, type StateDeps } from '../../src/instance-state.js';
import { adaptiveLoad } from '../../src/policies/adaptive-load.js';
import { ManualClock } from '../../src/testing/manual-clock.js';

interface Given extends Partial<StateDeps> {
  readonly weight?: number;
}

/** The real record of an instance, without a breaker unless one is given. */
export function state(
  id: string,
  {
    clock = new ManualClock(),
    learner = adaptiveLoad(),
    traffic = { inFlight: 0 },
    createBreaker,
    createWatch,
    weight = 1,
  }: Given = {},
): InstanceState {
  const instance = toInstance({ id, host: 'localhost', port: 80, weight }, id);
  return new InstanceState(instance, { clock, learner, traffic, createBreaker, createWatch });
}
