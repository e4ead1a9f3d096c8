/** What the agent is sent to register a service. */
import type { CheckDefinition, CheckSettings, CheckStatus } from './check-options.js';
import type { ServiceSettings } from './service-details.js';

/** As `PUT /v1/agent/service/register` takes it. The npm client's own method drops Weights and EnableTagOverride. */
export interface ServiceDefinition {
  readonly ID: string;
  readonly Name: string;
  readonly Address: string;
  readonly Port: number;
  readonly Tags: readonly string[];
  readonly Meta: Readonly<Record<string, string>>;
  readonly TaggedAddresses: Readonly<Record<string, { Address: string; Port: number }>>;
  /** Both: a missing one counts as 0. */
  readonly Weights: { readonly Passing: number; readonly Warning: number };
  readonly EnableTagOverride: boolean;
  readonly Checks: readonly (CheckDefinition & { readonly CheckID: string })[];
}

/**
 * @param status what the TTL check says from the beginning.
 * @param hidden true where no check may pass before the maintenance mode is set.
 */
export function defineService(
  service: ServiceSettings,
  checks: readonly CheckSettings[],
  status: CheckStatus,
  hidden: boolean,
): ServiceDefinition {
  const tagged = Object.entries(service.taggedAddresses);
  return {
    ID: service.id,
    Name: service.name,
    Address: service.address,
    Port: service.port,
    Tags: service.tags,
    Meta: service.meta,
    TaggedAddresses: Object.fromEntries(
      tagged.map(([name, { address, port }]) => [name, { Address: address, Port: port }]),
    ),
    Weights: { Passing: service.weights.passing, Warning: service.weights.warning },
    EnableTagOverride: service.enableTagOverride,
    Checks: checks.map(({ ttlMs, definition }, i) => ({
      CheckID: checkId(service.id, i, checks.length),
      ...definition,
      ...(ttlMs === undefined ? {} : { Status: status }),
      ...(hidden ? { Status: 'critical' } : {}),
    })),
  };
}

/** As Consul itself names the checks of a service. */
export function checkId(serviceId: string, index: number, of: number): string {
  return of === 1 ? `service:${serviceId}` : `service:${serviceId}:${String(index + 1)}`;
}
