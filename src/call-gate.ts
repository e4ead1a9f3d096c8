/** Counts the calls of a client under way, and shuts behind the last. */
export class CallGate {
  #inside = 0;
  #closedBy: Error | undefined;
  #onIdle: (() => void) | undefined;

  get inside(): number {
    return this.#inside;
  }

  /** @throws the reason it was closed with. */
  check(): void {
    if (this.#closedBy !== undefined) throw this.#closedBy;
  }

  /** @throws the reason it was closed with. */
  enter(): void {
    this.check();
    this.#inside++;
  }

  leave(): void {
    this.#inside--;
    if (this.#inside === 0) this.#onIdle?.();
  }

  /** Lets nobody in any more. Resolves when the last has left. */
  close(reason: Error): Promise<void> {
    this.#closedBy = reason;
    if (this.#inside === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }
}
