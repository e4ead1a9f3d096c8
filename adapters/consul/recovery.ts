import type { Rng } from '../../src/types.js';
import type { AgentError } from './agent-error.js';
import type { TokenSource } from './agent-options.js';
import type { Ladder } from './ladder.js';
import { type Pause, pauseAfter } from './pace.js';
import type { Route } from './route.js';

/** What follows a failed read. */
export interface NextStep {
  /** In words: `'reading again in 0.1 s'`. */
  readonly words: string;
  readonly pause: Pause;
  /** Whether the read was turned away for good. */
  readonly isRefused: boolean;
  /** Whether after the pause all agents have their turn again. */
  readonly endsLap: boolean;
}

/** The source of the token, and then the agent, are asked again so soon: the new one may not have got there yet. */
const ROTATED_MS = 10_000;

const AT_ONCE: Pause = { ms: 0, atLeastMs: 0 };

/**
 * Says what follows a failed read: the next agent, at once, as long as one is left in this lap; then, where there is no
 * leader, another lap that asks for less; then a pause. What only another configuration can mend goes nowhere else.
 */
export class Recovery {
  /** Laps, and refused reads, that failed in a row. */
  #failures = 0;
  #leaderless = false;
  /** What agents of this lap asked for. */
  #askedFor: Pause = AT_ONCE;

  constructor(
    private readonly route: Route,
    private readonly ladder: Ladder,
    private readonly token: TokenSource | undefined,
    private readonly rng: Rng,
  ) {}

  /** A good read. */
  succeeded(): void {
    this.#failures = 0;
    this.#endLap();
    this.route.succeeded();
  }

  after(error: AgentError, nowMs: number): NextStep {
    if (error.kind === 'permanent') return this.#afterRefusal(error);
    this.#leaderless ||= error.leaderless;
    if (error.kind === 'busy') {
      const asked = pauseAfter(error, this.#failures + 1, this.rng);
      if (asked.ms > this.#askedFor.ms) this.#askedFor = asked;
    }
    if (this.route.failed()) return goOn(`asking ${this.route.label} instead`);
    if (this.#leaderless && this.ladder.lower(nowMs)) {
      this.#leaderless = false;
      this.route.beginLap();
      return goOn(`reading again with consistency "${this.ladder.consistency}"`);
    }
    this.#failures++;
    const asked = this.#askedFor;
    const pause = asked.ms > 0 ? asked : pauseAfter(error, this.#failures, this.rng);
    this.#endLap();
    this.ladder.reset();
    return { words: wordsFor(pause), pause, isRefused: false, endsLap: true };
  }

  #afterRefusal(error: AgentError): NextStep {
    this.#failures++;
    this.#endLap();
    this.route.refused();
    // A token that is asked for anew each time may have been rotated: the first refusal proves nothing.
    const mayRotate = error.status === 403 && isAskedForAnew(this.token);
    const isRotated = mayRotate && this.#failures === 1;
    const usual = pauseAfter(isRotated ? { kind: 'transient' } : error, this.#failures, this.rng);
    const pause = mayRotate && !isRotated ? { ...usual, ms: ROTATED_MS } : usual;
    return { words: wordsFor(pause), pause, isRefused: !isRotated, endsLap: false };
  }

  #endLap(): void {
    this.#leaderless = false;
    this.#askedFor = AT_ONCE;
  }
}

function isAskedForAnew(token: TokenSource | undefined): boolean {
  return token !== undefined && typeof token !== 'string';
}

function goOn(words: string): NextStep {
  return { words, pause: AT_ONCE, isRefused: false, endsLap: false };
}

function wordsFor({ ms }: Pause): string {
  return `reading again in ${(ms / 1_000).toFixed(1)} s`;
}
