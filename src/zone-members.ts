import type { Slot } from './slot.js';

/** Ids of the candidates in each zone, found when first asked for: only retries do. */
export class ZoneMembers {
  #byZone: Map<string, Set<string>> | undefined;

  constructor(private readonly slots: readonly Slot[]) {}

  in(zone: string): ReadonlySet<string> {
    this.#byZone ??= this.#find();
    return this.#byZone.get(zone) ?? NOBODY;
  }

  #find(): Map<string, Set<string>> {
    const byZone = new Map<string, Set<string>>();
    for (const { part } of this.slots) {
      for (const { instance } of part.candidates) {
        const { zone } = instance.locality;
        if (zone === undefined) continue;
        byZone.set(zone, (byZone.get(zone) ?? new Set()).add(instance.id));
      }
    }
    return byZone;
  }
}

const NOBODY: ReadonlySet<string> = new Set();
