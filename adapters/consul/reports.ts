import { show } from '../../src/errors.js';
import type { WatchContext } from '../../src/types.js';
import type { AgentError } from './agent-error.js';
import type { BadEntry } from './entries.js';
import type { NextStep } from './recovery.js';

/** What lasts is told again after this. */
const AGAIN_AFTER_MS = 60_000;
/** Of one list; the others are counted. */
const MOST_ENTRIES = 10;

/**
 * What a watch tells of faults it bore. A lasting fault of the data is told once, a failed read each time, but a refusal
 * that says nothing new once a minute. `label` names the agent.
 */
export interface Reports {
  failed(label: string, error: AgentError, next: NextStep): void;
  /** A good read: a refusal after it is a new one, whatever it says. */
  succeeded(): void;
  /** The entries left out of the newest list, which has `kept` instances: at most ten one by one. */
  left(label: string, bad: readonly BadEntry[], kept: number): void;
  /** Whether the newest reply had an index to wait on. */
  indexed(label: string, has: boolean): void;
  /** The index of the newest reply is less than the one before. */
  wentBack(label: string, before: number, now: number): void;
  /** Why the newest list may lack instances; `undefined` when it does not. */
  incomplete(label: string, why: string | undefined): void;
}

/** @param what names the list: `'"orders"'`. */
export function createReports(
  what: string,
  { report, clock }: Pick<WatchContext, 'report' | 'clock'>,
): Reports {
  let told: ReadonlySet<string> = new Set();
  let wasUnreadable = false;
  let indexed = true;
  let wentBackAtMs = -Infinity;
  let toldIncomplete: string | undefined;
  let refusal: { readonly text: string; readonly atMs: number } | undefined;
  return {
    failed(label, error, { words, isRefused }) {
      if (isRefused) {
        const { message: text } = error;
        const atMs = clock.now();
        if (refusal?.text === text && atMs - refusal.atMs < AGAIN_AFTER_MS) return;
        refusal = { text, atMs };
      } else refusal = undefined; // one after another fault is news again: the status names the newest
      report({
        message: `${label} gave no list of ${what}: ${error.message}; ${words}.`,
        effect: isRefused ? 'refused' : 'stale',
        cause: error,
      });
    },
    succeeded() {
      refusal = undefined;
    },
    left(label, bad, kept) {
      const found = new Set<string>();
      let news = 0;
      for (const { id, error } of bad) {
        // Positions shift with every registration.
        const key = `${id} ${error.message.replace(/entries\[\d+\]/, '')}`;
        found.add(key);
        if (told.has(key) || ++news > MOST_ENTRIES) continue;
        report({
          message: `${label} lists ${show(id)} of ${what}, which is left out: ${error.message}`,
          field: error.field,
          value: error.value,
          cause: error,
        });
      }
      told = found;
      if (news > MOST_ENTRIES) {
        const more = String(news - MOST_ENTRIES);
        report({
          message: `${label} lists ${what} with bad entries: those told of, and ${more} more entries are left out.`,
        });
      }
      const isUnreadable = bad.length > 0 && kept === 0;
      if (isUnreadable && !wasUnreadable) {
        report({
          message: `${label} gave a list of ${what} of which no entry can be used; the one before it is kept.`,
          effect: 'stale',
        });
      }
      wasUnreadable = isUnreadable;
    },
    indexed(label, has) {
      if (indexed && !has) {
        report({
          message: `${label} gave ${what} without X-Consul-Index, so changes are polled for.`,
          field: 'X-Consul-Index',
        });
      }
      indexed = has;
    },
    wentBack(label, before, now) {
      const atMs = clock.now();
      if (atMs - wentBackAtMs < AGAIN_AFTER_MS) return;
      wentBackAtMs = atMs;
      report({
        message: `${label} was started anew, or its data restored: the index of ${what} went from ${String(before)} back to ${String(now)}.`,
        field: 'X-Consul-Index',
        value: now,
      });
    },
    incomplete(label, why) {
      if (why !== undefined && why !== toldIncomplete) {
        report({ message: `${label} may leave out instances of ${what}: ${why}.` });
      }
      toldIncomplete = why;
    },
  };
}
