import { show } from '../../src/errors.js';
import type { WatchContext } from '../../src/types.js';
import type { AgentError } from './agent-error.js';
import type { BadEntry } from './entries.js';

/** What a watch tells of faults it bore. A lasting fault of the data is told once, a failed read each time. */
export interface Reports {
  failed(error: AgentError, pauseMs: number): void;
  /** The entries left out of the newest list. */
  left(bad: readonly BadEntry[]): void;
  /** Whether the newest reply had an index to wait on. */
  indexed(has: boolean): void;
}

export function createReports(
  service: string,
  label: string,
  { report }: Pick<WatchContext, 'report'>,
): Reports {
  let told: ReadonlySet<string> = new Set();
  let indexed = true;
  return {
    failed(error, pauseMs) {
      const pause = `${(pauseMs / 1_000).toFixed(1)} s`;
      report({
        message: `${label} gave no list of ${show(service)}: ${error.message}; reading again in ${pause}.`,
        cause: error,
      });
    },
    left(bad) {
      const found = new Set<string>();
      for (const { id, error } of bad) {
        // Positions shift with every registration.
        const key = `${id} ${error.message.replace(/entries\[\d+\]/, '')}`;
        found.add(key);
        if (told.has(key)) continue;
        report({
          message: `${label} lists ${show(id)} of ${show(service)}, which is left out: ${error.message}`,
          field: error.field,
          value: error.value,
          cause: error,
        });
      }
      told = found;
    },
    indexed(has) {
      if (indexed && !has) {
        report({
          message: `${label} gave ${show(service)} without X-Consul-Index, so changes are polled for.`,
          field: 'X-Consul-Index',
        });
      }
      indexed = has;
    },
  };
}
