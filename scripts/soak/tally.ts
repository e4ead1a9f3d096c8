import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Client } from 'fairlead';
import { storyOf } from 'fairlead';
import { BodyError } from './callers.js';

/** Calls of one kind: who made them, and whether they could be repeated. */
export class Tally {
  calls = 0;
  cancelled = 0;
  failed = 0;
  /** Of calls that succeeded, in microseconds. */
  readonly latency: RecordableHistogram = createHistogram();
  worstOverrunMs = -Infinity;
  readonly causes = new Map<string, Cause>();

  noteFailure(failure: Failure): void {
    this.failed++;
    const name = causeOf(failure.error);
    const cause = this.causes.get(name) ?? new Cause();
    this.causes.set(name, cause.note(failure));
  }
}

export interface Failure {
  readonly error: unknown;
  readonly tookMs: number;
  /** What was wrong then, in words. */
  readonly faults: string;
  /** This process had not the time to serve its timers and sockets. */
  readonly isStarved: boolean;
}

/** Why calls failed: one of the reasons. */
export class Cause {
  count = 0;
  tookMs = 0;
  starved = 0;
  attempts = 0;
  budgetExhausted = 0;
  /** How often what was wrong when it happened. */
  readonly faults = new Map<string, number>();

  note({ error, tookMs, faults, isStarved }: Failure): this {
    const story = storyOf(error instanceof BodyError ? error.cause : error);
    this.count++;
    this.tookMs += tookMs;
    if (isStarved) this.starved++;
    this.attempts += story.attempts.length;
    if (story.budgetExhausted) this.budgetExhausted++;
    const when = faults === '' ? 'nothing' : faults;
    if (this.faults.size < 1_000 || this.faults.has(when)) {
      this.faults.set(when, (this.faults.get(when) ?? 0) + 1);
    }
    return this;
  }
}

/** The most telling code in an error's chain of causes; ours comes before what it was caused by. */
function causeOf(error: unknown): string {
  let link: unknown = error;
  let found: string | undefined;
  for (let depth = 0; depth < 5 && typeof link === 'object' && link !== null; depth++) {
    const { code, status, statusCode, response, cause } = link as Record<string, unknown>;
    if (link instanceof BodyError) return link.code;
    if (typeof code === 'string' && code.startsWith('ERR_FAIRLEAD_')) return code;
    const http = status ?? statusCode ?? (response as { status?: unknown } | undefined)?.status;
    if (typeof http === 'number' && http >= 400) found ??= `HTTP ${String(http)}`;
    if (typeof code === 'string') found ??= code;
    link = cause;
  }
  return found ?? (error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}

/** What the clients' events told. */
export class AttemptCounts {
  attempts = 0;
  retries = 0;
  hedges = 0;
  hedgesWon = 0;
  refused = 0;
  rejected = 0;

  listenTo(client: Client): void {
    client.on('attempt.ended', ({ kind, ended, outcome }) => {
      this.attempts++;
      if (kind === 'retry') this.retries++;
      if (kind !== 'hedge') return;
      this.hedges++;
      if (ended === 'returned' && outcome === 'success') this.hedgesWon++;
    });
    client.on('retry.refused', () => this.refused++);
    client.on('call.rejected', () => this.rejected++);
  }
}
