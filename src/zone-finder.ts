import { backgroundClock } from './env.js';
import { FairleadError, show } from './errors.js';
import type { ZoneSource } from './topology-options.js';
import type { Env } from './types.js';

/** Time the source has for an answer, in ms. */
const ANSWER_WITHIN_MS = 10_000;
/** Pause before it is asked again: equal jitter under a ceiling that doubles, in ms. */
const FIRST_CEILING_MS = 1_000;
const LAST_CEILING_MS = 60_000;

/** What a zone finder tells. Never called before its constructor has returned. */
export interface ZoneHooks {
  /** Called once. */
  onFound(zone: string): void;
  /** It could not be found for now. */
  onFault(error: unknown): void;
}

/**
 * Knows the caller's zone, or asks for it until there is an answer; no more then, for a process does not move. Never
 * keeps the process alive.
 */
export class ZoneFinder {
  #zone: string | undefined;
  readonly #closing = new AbortController();

  constructor(
    local: string | ZoneSource,
    private readonly env: Env,
    private readonly hooks: ZoneHooks,
  ) {
    if (typeof local === 'string') this.#zone = local;
    else void this.#find(local);
  }

  get zone(): string | undefined {
    return this.#zone;
  }

  /** Gives the search up. Nothing is told afterwards. */
  close(): void {
    this.#closing.abort(new FairleadError('ERR_FAIRLEAD_CLOSED', 'The client is closed.'));
  }

  async #find(source: ZoneSource): Promise<void> {
    const clock = backgroundClock(this.env.clock);
    const { signal } = this.#closing;
    let ceilingMs = FIRST_CEILING_MS;
    try {
      for (;;) {
        const answer = await this.#ask(source);
        signal.throwIfAborted();
        if (typeof answer === 'string') {
          this.#zone = answer;
          this.hooks.onFound(answer);
          return;
        }
        this.hooks.onFault(answer.error);
        await clock.sleep(ceilingMs / 2 + this.env.rng.next() * (ceilingMs / 2), signal);
        ceilingMs = Math.min(LAST_CEILING_MS, 2 * ceilingMs);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** The zone, or why there is none. Its signal ends when its time is over, too. */
  async #ask(source: ZoneSource): Promise<string | { readonly error: unknown }> {
    const asking = new AbortController();
    const closing = this.#closing.signal;
    const onClose = (): void => {
      asking.abort(closing.reason);
    };
    closing.addEventListener('abort', onClose);
    const limit = backgroundClock(this.env.clock).setTimer(ANSWER_WITHIN_MS, () => {
      asking.abort(fault(`did not answer within ${String(ANSWER_WITHIN_MS / 1_000)} s`));
    });
    try {
      return checkZone(await answerOf(source, asking.signal));
    } catch (error) {
      return { error };
    } finally {
      limit.cancel();
      closing.removeEventListener('abort', onClose);
    }
  }
}

/** What the source settles with, or a rejection as soon as `signal` aborts: it may be deaf to that. */
function answerOf(source: ZoneSource, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
    Promise.resolve(source(signal)).then(resolve, reject);
  });
}

function checkZone(answer: unknown): string {
  if (typeof answer === 'string' && answer !== '') return answer;
  throw fault(
    answer === undefined ? 'knows none' : `gave ${show(answer)} where a zone's name belongs`,
  );
}

function fault(what: string): FairleadError {
  return new FairleadError('ERR_FAIRLEAD_DISCOVERY', `The zone source ${what}.`);
}
