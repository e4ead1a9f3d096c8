import { vi } from 'vitest';
import type { Client } from '../../src/client.js';
import { InstanceState } from '../../src/instance-state.js';
import { Lease } from '../../src/lease.js';

/** What could have been picked when a lease began. */
export interface Choice {
  /** Ids of the instances that took calls and had room. */
  readonly roomy: readonly string[];
  /** Of them those with a share of the calls: no reserves. */
  readonly active: ReadonlySet<string>;
}

/** Watches the leases of one client from their beginning to their end. */
export class LeaseWatch {
  readonly choices = new Map<Lease, Choice>();
  /** One for each time that the end of a lease was told. */
  readonly ended: Lease[] = [];
  client: Client | undefined;

  constructor() {
    const original = { begin: InstanceState.prototype.begin, endAt: Lease.prototype.endAt };
    const { choices, ended } = this;
    const look = (): Choice => this.#look();
    vi.spyOn(InstanceState.prototype, 'begin').mockImplementation(function (
      this: InstanceState,
      nowMs,
    ) {
      const choice = look(); // before: a trial that begins changes who may be picked
      const lease = original.begin.call(this, nowMs);
      choices.set(lease, choice);
      return lease;
    });
    vi.spyOn(Lease.prototype, 'endAt').mockImplementation(function (this: Lease, ...args) {
      ended.push(this);
      original.endAt.apply(this, args);
    });
  }

  /** Lets the classes be as they were. */
  stop(): void {
    vi.mocked(InstanceState.prototype.begin).mockRestore();
    vi.mocked(Lease.prototype.endAt).mockRestore();
  }

  #look(): Choice {
    if (this.client === undefined) throw new Error('a lease before there is a client');
    const { candidates, parts } = this.client.explain();
    const crowded = new Set(
      this.client
        .snapshot()
        .instances.filter(({ pending, limit = Infinity }) => pending >= limit)
        .map(({ id }) => id),
    );
    const roomy = candidates.filter(({ id }) => !crowded.has(id));
    const shares = new Set(parts.filter(({ ratio }) => ratio > 0).map(({ name }) => name));
    return {
      roomy: roomy.map(({ id }) => id),
      active: new Set(roomy.filter(({ part }) => shares.has(part)).map(({ id }) => id)),
    };
  }
}
