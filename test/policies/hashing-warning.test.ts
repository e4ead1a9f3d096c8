import { expect, it, vi } from 'vitest';
import type { Picker } from '../../src/types.js';
import { picks } from '../support/candidates.js';
import { build, equal, HASHING, keyed } from './hashing-rig.js';

// A file of its own: the process warns once, and tests of other things must not have used that up.
it.each(HASHING)('%s warns of calls without a key, once', (name, _path, factory) => {
  const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
  const policy = factory();
  let picker: Picker | undefined;
  for (let i = 1; i <= 3; i++) {
    picker = build(policy, equal(i), picker);
    picker.pick(keyed('a'));
  }
  expect(warn).not.toHaveBeenCalled();
  picks(build(policy, equal(3), picker), 3);
  picks(build(policy, equal(4), picker), 3);
  picks(build(factory(), equal(3)), 3);
  expect(warn.mock.calls).toEqual([
    [expect.stringContaining(`"${name}"`), { code: 'FAIRLEAD_NO_HASH_KEY' }],
  ]);
  warn.mockRestore();
});
