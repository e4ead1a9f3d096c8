import { refusedBeside } from './agent-options.js';
import { isObject } from '../../src/validate.js';
import { AgentError } from './agent-error.js';
import { parseJson } from './json-list.js';

/** `/query/{service}/execute` has no such parameters, and would ignore them silently. */
const OF_THE_QUERY = ['tags', 'nodeMeta', 'filter', 'namespace', 'partition', 'peer', 'failover'];

/** @throws {InvalidOptionError} for an option that would have no effect on a prepared query. */
export function checkForPreparedQuery(given: Record<string, unknown>): void {
  for (const option of OF_THE_QUERY) {
    if (given[option] === undefined) continue;
    throw refusedBeside(option, 'preparedQuery is');
  }
}

/** The entries of a prepared query's result. @throws {AgentError} when it is none. */
export function parseNodes(body: Buffer): readonly unknown[] {
  const result = parseJson(body);
  const nodes = isObject(result) ? result['Nodes'] : undefined;
  if (Array.isArray(nodes)) return nodes as readonly unknown[];
  throw new AgentError('the reply is no result of a prepared query', { status: 200 });
}
