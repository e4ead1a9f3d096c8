import { show } from '../../../src/errors.js';
import type { Clock } from '../../../src/types.js';
import type { AgentError } from '../agent-error.js';
import type { ElectionEmitter } from './election-events.js';
import type { ElectionStatus } from './status.js';

/** The same fault is told again after this. */
const TELL_AGAIN_MS = 60_000;

/** Tells the faults of an election, each at most once a minute, and remembers the newest. */
export class Faults {
  /** When each was told, over the last minute. */
  readonly #told = new Map<string, number>();
  #last: { readonly message: string; readonly atMs: number } | undefined;

  /** @param label how messages name the agent. */
  constructor(
    private readonly label: string,
    private readonly key: string,
    private readonly clock: Clock,
    private readonly events: ElectionEmitter,
  ) {}

  get last(): ElectionStatus['lastFault'] {
    if (this.#last === undefined) return undefined;
    const { message, atMs } = this.#last;
    return { message, agoMs: this.clock.now() - atMs };
  }

  failed(what: string, error: AgentError, pauseMs: number): void {
    this.#tell(`${what}: ${error.message}`, `; trying again in ${seconds(pauseMs)}.`, error);
  }

  tell(text: string, cause?: unknown): void {
    this.#tell(text, '', cause);
  }

  /** @param rest what differs from time to time, and makes it no other fault. */
  #tell(text: string, rest: string, cause: unknown): void {
    const nowMs = this.clock.now();
    const message = `${this.label}, election ${show(this.key)}: ${text}${rest}`;
    this.#last = { message, atMs: nowMs };
    for (const [told, atMs] of this.#told) {
      if (nowMs - atMs >= TELL_AGAIN_MS) this.#told.delete(told);
    }
    if (this.#told.has(text)) return;
    this.#told.set(text, nowMs);
    const { key } = this;
    this.events.emit('fault', { key, message, ...(cause === undefined ? {} : { cause }) });
  }
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
