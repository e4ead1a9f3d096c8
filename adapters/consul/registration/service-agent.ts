import { isObject } from '../../../src/validate.js';
import type { Agent } from '../agent.js';
import { AgentError } from '../agent-error.js';
import { readJson } from '../reply.js';
import type { AgentRequest } from '../send.js';
import type { ServiceDefinition } from './definition.js';
import type { HealthReport } from './health-report.js';

export interface RequestLimits {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** Whether the agent has the service, or the check, that it was asked about. */
export type Known = 'known' | 'unknown';

/** What the agent is told of one service. Every function rejects with an {@link AgentError}, or the signal's reason. */
export interface ServiceAgent {
  /** @param onNoReply called when it was sent and no reply came: the agent may take it all the same. */
  register(
    definition: ServiceDefinition,
    limits: RequestLimits,
    onNoReply: () => void,
  ): Promise<void>;
  /**
   * Removes checks of the service that are not among `ids`, as an earlier version of it may have left. A maintenance mode
   * stays: `replace-existing-checks` would end it.
   */
  dropOtherChecks(ids: readonly string[], limits: RequestLimits): Promise<void>;
  heartbeat(checkId: string, report: HealthReport, limits: RequestLimits): Promise<Known>;
  look(limits: RequestLimits): Promise<Known>;
  maintain(on: boolean, reason: string, limits: RequestLimits): Promise<Known>;
  deregister(limits: RequestLimits): Promise<void>;
}

/** Of a string in a filter: nothing can be escaped in one. */
const QUOTES = ['`', '"'];
const MAINTENANCE = '_service_maintenance:';

export function serviceAgent(agent: Agent, id: string): ServiceAgent {
  const ask = (
    request: Omit<AgentRequest, 'deadlineMs'>,
    { deadlineMs, signal }: RequestLimits,
    onNoReply?: () => void,
  ) => agent.request({ ...request, deadlineMs }, signal, onNoReply);
  const put = (
    path: string,
    request: Pick<AgentRequest, 'params' | 'query' | 'body'>,
    limits: RequestLimits,
  ): Promise<Known> => known(ask({ path, method: 'PUT', ...request }, limits));

  return {
    async register(definition, limits, onNoReply) {
      const path = '/agent/service/register';
      await ask({ path, method: 'PUT', body: definition }, limits, onNoReply);
    },
    async dropOtherChecks(ids, limits) {
      const quote = QUOTES.find((one) => !id.includes(one));
      // Without a filter it sends the checks of all services.
      const query = quote === undefined ? {} : { filter: `ServiceID == ${quote}${id}${quote}` };
      const reply = await ask({ path: '/agent/checks', query }, limits);
      for (const check of Object.values(readJson(reply, agent.scrub) ?? {})) {
        if (!isObject(check) || check['ServiceID'] !== id) continue;
        const { CheckID: checkId } = check;
        if (typeof checkId !== 'string' || checkId.startsWith(MAINTENANCE)) continue;
        if (ids.includes(checkId)) continue;
        await put('/agent/check/deregister/{checkId}', { params: { checkId } }, limits);
      }
    },
    heartbeat: (checkId, { status, output }, limits) =>
      put(
        '/agent/check/update/{checkId}',
        { params: { checkId }, body: { Status: status, Output: output } },
        limits,
      ),
    look: (limits) => known(ask({ path: '/agent/service/{id}', params: { id } }, limits)),
    maintain: (on, reason, limits) =>
      put(
        '/agent/service/maintenance/{id}',
        { params: { id }, query: { enable: String(on), ...(reason === '' ? {} : { reason }) } },
        limits,
      ),
    async deregister(limits) {
      await put('/agent/service/deregister/{id}', { params: { id } }, limits);
    },
  };
}

async function known(asked: Promise<unknown>): Promise<Known> {
  try {
    await asked;
    return 'known';
  } catch (error) {
    if (isUnknown(error)) return 'unknown';
    throw error;
  }
}

/**
 * Later versions say 404. Consul 1.8 says 500: `CheckID "service:x" does not have associated TTL`, and with ACLs
 * `Unknown check "service:x"` or `Unknown service {"x" {}}`.
 */
function isUnknown(error: unknown): boolean {
  if (!(error instanceof AgentError)) return false;
  if (error.status === 404) return true;
  return (
    error.status === 500 && /^status 500, (CheckID|Unknown (check|service)) /.test(error.message)
  );
}
