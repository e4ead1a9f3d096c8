import type { AgentSource } from './agent-options.js';
import { type Connection, connect } from './connection.js';

/** Up to `size` connections to one agent, opened when first needed and kept; who finds all in use waits in line. */
export class ConnectionPool {
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  /** Those who wait for a connection, the longest first. */
  readonly #line: (() => void)[] = [];
  #inUse = 0;
  #closed = false;

  constructor(
    private readonly source: AgentSource,
    private readonly size: number,
  ) {}

  /** Runs `task` with a connection that nobody else uses meanwhile. Rejects with the signal's reason on abort. */
  async use<T>(signal: AbortSignal, task: (connection: Connection) => Promise<T>): Promise<T> {
    await this.#turn(signal);
    try {
      const connection = this.#idle.pop() ?? (await this.#open());
      try {
        return await task(connection);
      } finally {
        if (this.#closed) connection.close();
        else this.#idle.push(connection);
      }
    } finally {
      this.#inUse--;
      this.#line.shift()?.();
    }
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#all) connection.close();
    for (const next of this.#line.splice(0)) next();
  }

  async #open(): Promise<Connection> {
    const connection = await connect(this.source);
    this.#all.add(connection);
    return connection;
  }

  /** Resolves when there is room, with the place taken. */
  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#inUse >= this.size) {
      await new Promise<void>((resolve, reject) => {
        const next = (): void => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        };
        const onAbort = (): void => {
          this.#line.splice(this.#line.indexOf(next), 1);
          reject(signal.reason as Error);
        };
        this.#line.push(next);
        signal.addEventListener('abort', onAbort, { once: true });
      });
    }
    if (this.#closed) throw new Error('the connections to the agent are closed');
    this.#inUse++;
  }
}
