/** `fairlead/consul`: the instances of a service as a Consul agent sees them, zones, services registered there, elections. */
import { backgroundClock, realEnv } from '../src/env.js';
import type { ZoneSource } from '../src/topology-options.js';
import type { DiscoveryAdapter, Snapshot } from '../src/types.js';
import { type AgentZoneOptions, askAgent, readAgentZoneOptions } from './consul/agent-zone.js';
import { watchDatacenters } from './consul/datacenters.js';
import { type ConsulOptions, readOptions } from './consul/options.js';
import { Recent } from './consul/recent.js';

export type { AgentZoneOptions } from './consul/agent-zone.js';
export type { Consistency, ConsulOptions } from './consul/options.js';
export type { Pem, TlsOptions, TokenSource } from './consul/agent-options.js';
export type { ConsulLike } from './consul/client.js';
export { type Election, electLeader } from './consul/election.js';
export type {
  ElectionEventName,
  ElectionEvents,
  ElectionListener,
  LostReason,
} from './consul/election/election-events.js';
export type { Leadership, LeaderTask } from './consul/election/lead.js';
export type { ElectionOptions } from './consul/election/options.js';
export type { ElectionStatus } from './consul/election/status.js';
export { registerService } from './consul/registration.js';
export type {
  CheckOptions,
  CheckStatus,
  GrpcCheck,
  HttpCheck,
  TcpCheck,
  TtlCheck,
} from './consul/registration/check-options.js';
export type { HealthAnswer, HealthFunction } from './consul/registration/health-report.js';
export type { DrainFunction, RegistrationOptions } from './consul/registration/options.js';
export type {
  Registration,
  RegistrationEvents,
  RegistrationStatus,
  StopOptions,
} from './consul/registration/registration.js';
export type {
  ServiceDetails,
  ServiceWeights,
  TaggedAddress,
} from './consul/registration/service-details.js';

/**
 * Follows the health of a service through blocking queries to a Consul agent, with the npm package `consul`.
 *
 * What is an instance:
 * - One with any critical check (maintenance is one) is left out; with any warning it weighs `Weights.Warning`, else
 *   `Weights.Passing`. Weight 0 means draining. Its metadata may name `protocol` and `priority`.
 * - A service without entries is `not-found`; one whose entries are all critical is an empty list.
 * - A malformed entry is reported and left out; a list of which no entry can be used is not believed.
 * - Proxies of the service mesh and the gateways inside it are none; an ingress or API gateway is one. Connect-native is
 *   left out: nothing here speaks the mesh's mutual TLS, and an instance registered as native is listed like any other.
 *
 * What becomes of a failed read: it never ends the watch and never costs the list.
 * - With `urls` the next agent is asked at once, and the preferred one again when three probes in a row found it well. A
 *   probe, every 5 s, also frees the queries parked at an agent that does not answer any more.
 * - While there is no leader, or no server, reads ask for less: any server, then the agent's cache. Such lists are stale.
 * - Then it is tried again after 250 ms to 30 s (full jitter), after Retry-After where given (at most a minute), or after 20
 *   to 40 s where only a change of configuration can help: that is a refusal, and reported once a minute.
 * - Instances that a token may not read are missing from a good reply. Where that can be found out the list is incomplete,
 *   and what was known is kept.
 *
 * What it costs: two changes in a row are read at once, further ones at one read a second (one in 5 s above 5,000
 * entries). All watches of a process share `maxParked` queries at an agent, each with a socket of its own; the others poll.
 * With `failover` each datacenter is a watch. While it waits for a change nothing of it keeps the process alive, unless a
 * `client` of your own is used.
 *
 * @throws {InvalidOptionError} `ERR_FAIRLEAD_INVALID_OPTION` naming option, range and value.
 * @example consul({ url: 'http://127.0.0.1:8500', tags: ['v2'] })
 * @example consul({ urls: ['https://a:8501', 'https://b:8501'], token: { file: '/run/consul/token' }, failover: ['dc2'] })
 */
export function consul(options: ConsulOptions = {}): DiscoveryAdapter {
  const settings = readOptions(options);
  const remembered = new Recent<Snapshot>();
  return {
    name: 'consul',
    watch: (service, context) =>
      watchDatacenters(service, settings, context, undefined, remembered),
  };
}

/**
 * Asks the local Consul agent for the zone it is in, for `stages.zone.local`: the zone of its locality (Consul 1.17 and
 * later), else what its node's metadata name under `zoneMeta`. Instances that {@link consul} finds are placed by the
 * same rule, and the same option. Gives `undefined` when the agent knows neither.
 *
 * Asks once per call, with the npm package `consul`; rejects with `ERR_FAIRLEAD_DISCOVERY` saying what was wrong, after
 * 5 s without a whole answer at the latest. A client then asks again.
 *
 * @throws {InvalidOptionError} `ERR_FAIRLEAD_INVALID_OPTION` naming option, range and value.
 * @example createClient({ service: 'orders', discovery: consul(), stages: { zone: { local: agentZone() } } })
 */
export function agentZone(options: AgentZoneOptions = {}): ZoneSource {
  const settings = readAgentZoneOptions(options);
  const clock = backgroundClock(realEnv().clock);
  return (signal) => askAgent(settings, signal, clock);
}
