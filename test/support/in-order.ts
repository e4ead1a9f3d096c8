import type { Policy } from '../../src/types.js';

/** Picks the first that was not tried. */
export const inOrder: Policy = {
  name: 'in-order',
  build: (candidates) => ({
    pick: ({ excluded }) => candidates.find(({ instance }) => !excluded.has(instance.id)),
  }),
};
