import { describe, expect, it } from 'vitest';
import { toInstance } from '../src/discovery.js';
import { Slot } from '../src/slot.js';
import { whole } from '../src/stages/part.js';
import { ManualClock } from '../src/testing/manual-clock.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import type { Policy } from '../src/types.js';
import { state as stateOf } from './support/states.js';

describe('a picker that was built', () => {
  function rig(keyed: boolean) {
    const states = ['a', 'b'].map((id) => stateOf(id));
    const policy: Policy = { name: 'first', keyed, build: ([first]) => ({ pick: () => first }) };
    const env = { clock: new ManualClock(), rng: seededRng(1) };
    const slot = new Slot(
      whole(states),
      policy,
      env,
      () => undefined,
      () => undefined,
    ).prepare();
    return { states, slot, fits: (list = states) => slot.fits(whole([...list])) };
  }

  it('fits the same candidates, until one is described otherwise', () => {
    const { states, fits } = rig(false);
    expect(fits()).toBe(true);
    expect(fits(states.slice(1))).toBe(false);
    expect(fits([...states].reverse())).toBe(false);
    const [first] = states;
    if (first === undefined) throw new Error('none');
    first.instance = toInstance({ ...first.instance, tags: ['new'] }, 'x');
    expect(fits()).toBe(false);
  });

  it.each([
    [false, false],
    [true, true],
  ])('by keys: %s; fits while one warms up: %s', (keyed, doesFit) => {
    const { states, fits } = rig(keyed);
    for (const state of states) state.ramp = 0.5;
    expect(fits()).toBe(doesFit);
    for (const state of states) state.ramp = 1;
    expect(fits()).toBe(true);
  });
});
