import type { Clock } from '../../src/types.js';
import { AgentError } from './agent-error.js';
import type { AgentSource } from './agent-options.js';
import { type Connection, connect } from './connection.js';

const IN_LINE_MS = 10_000;

/**
 * Up to `size` connections to one agent, opened when first needed and kept; who finds all in use waits in line.
 *
 * Who is done hands on to the longest waiting; who failed to the newest, who has the most time left. At an agent that
 * hangs each connection is so used for a whole deadline, not opened for what a long wait has left of one: the agent would
 * find hundreds of dead ones when it wakes.
 */
export class ConnectionPool {
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  /** Those who wait for a connection, the longest first. */
  readonly #line: (() => void)[] = [];
  #inUse = 0;
  #closed = false;

  /** @param clock its timers must not keep the process alive. */
  constructor(
    private readonly source: AgentSource,
    private readonly size: number,
    private readonly clock: Clock,
  ) {}

  /**
   * Runs `task` with a connection that nobody else uses meanwhile.
   *
   * @throws {AgentError} when none is free within 10 s; the signal's reason on abort.
   */
  async use<T>(signal: AbortSignal, task: (connection: Connection) => Promise<T>): Promise<T> {
    await this.#turn(signal);
    try {
      const result = await this.#lend(task);
      this.#handOn('longest');
      return result;
    } catch (error) {
      this.#handOn(isReply(error) ? 'longest' : 'newest');
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#all) connection.close();
    for (const next of this.#line.splice(0)) next();
  }

  async #lend<T>(task: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#closed) throw new AgentError('the connections to the agent are closed');
    const connection = this.#idle.pop() ?? (await this.#open());
    try {
      const result = await task(connection);
      this.#takeBack(connection);
      return result;
    } catch (error) {
      if (isReply(error)) this.#takeBack(connection);
      else this.#drop(connection);
      throw error;
    }
  }

  /** To the longest waiting, or the newest; so nobody jumps the line. */
  #handOn(to: 'longest' | 'newest'): void {
    const next = to === 'longest' ? this.#line.shift() : this.#line.pop();
    if (next === undefined) this.#inUse--;
    else next();
  }

  #takeBack(connection: Connection): void {
    if (this.#closed) connection.close();
    else this.#idle.push(connection);
  }

  /** One that failed is not used again: another may read newer certificates. */
  #drop(connection: Connection): void {
    this.#all.delete(connection);
    connection.close();
  }

  async #open(): Promise<Connection> {
    const connection = await connect(this.source);
    this.#all.add(connection);
    return connection;
  }

  /** Resolves when there is room, with the place taken. */
  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#inUse < this.size) this.#inUse++;
    else await this.#wait(signal);
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const next = (): void => {
        patience.cancel();
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const leave = (reason: unknown): void => {
        patience.cancel();
        signal.removeEventListener('abort', onAbort);
        this.#line.splice(this.#line.indexOf(next), 1);
        reject(reason);
      };
      const onAbort = (): void => {
        leave(signal.reason);
      };
      const patience = this.clock.setTimer(IN_LINE_MS, () => {
        leave(new AgentError(`no connection was free within ${String(IN_LINE_MS / 1_000)} s`));
      });
      this.#line.push(next);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}

/** Whether the agent answered, only not as hoped. */
function isReply(error: unknown): boolean {
  return error instanceof AgentError && error.status !== undefined;
}
