import type { Instance } from '../../src/types.js';
import type { Places } from './entry-places.js';
import { Recent } from './recent.js';

/** What a watch knew of its list, and of what it kept beside it. */
export interface AppraisalMemory {
  readonly places: Places;
  readonly instances: ReadonlyMap<string, Instance>;
}

const memories = new WeakMap<object, Recent<AppraisalMemory>>();

/** Those of the watches of one adapter, which its settings stand for. */
export function memoriesOf(settings: object): Recent<AppraisalMemory> {
  const found = memories.get(settings) ?? new Recent<AppraisalMemory>();
  memories.set(settings, found);
  return found;
}
