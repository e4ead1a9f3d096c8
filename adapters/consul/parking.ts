/**
 * Counts the queries that this process has parked at one agent. One that was given up counts on until its wait is over:
 * an agent does not notice that nobody listens any more, and until then keeps the connection, of which it takes 200 from
 * one address (Consul 1.8.7: 200 queries given up, and it refused everything for a minute).
 */
export class Parking {
  /** Slots that are out. */
  #out = 0;
  /** When the waits of queries that were given up are over. */
  #givenUp: number[] = [];

  /** Takes a slot, unless `limit` are in use. */
  take(limit: number, nowMs: number): boolean {
    this.#forgetOld(nowMs);
    if (this.#out + this.#givenUp.length >= limit) return false;
    this.#out++;
    return true;
  }

  /** @param busyUntilMs when the agent will be done with the query that is given up with it, if one is. */
  giveBack(busyUntilMs?: number): void {
    this.#out--;
    if (busyUntilMs !== undefined) this.#givenUp.push(busyUntilMs);
  }

  /** True when nothing is known that is worth remembering. */
  isEmpty(nowMs: number): boolean {
    this.#forgetOld(nowMs);
    return this.#out + this.#givenUp.length === 0;
  }

  #forgetOld(nowMs: number): void {
    this.#givenUp = this.#givenUp.filter((untilMs) => untilMs > nowMs);
  }
}
