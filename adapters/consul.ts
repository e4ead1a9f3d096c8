/** `fairlead/consul`: the instances of a service as a Consul agent sees them, and the zone that it is in. */
import { backgroundClock, realEnv } from '../src/env.js';
import type { ZoneSource } from '../src/topology-options.js';
import type { DiscoveryAdapter } from '../src/types.js';
import { type AgentZoneOptions, askAgent, readAgentZoneOptions } from './consul/agent-zone.js';
import { readOptions, type ConsulOptions } from './consul/options.js';
import { watchHealth } from './consul/watch.js';

export type { AgentZoneOptions } from './consul/agent-zone.js';
export type { ConsulOptions } from './consul/options.js';
export type { Pem, TlsOptions, TokenSource } from './consul/agent-options.js';
export type { ConsulLike } from './consul/client.js';

/**
 * Follows the health of a service through blocking queries to one agent, with the npm package `consul`.
 *
 * - An instance with any critical check (maintenance is one) is left out; with any warning it weighs
 *   `Weights.Warning`, else `Weights.Passing`. Weight 0 means draining.
 * - A service without entries is `not-found`; one whose entries are all critical is an empty list.
 * - A failed read never ends the watch and never costs the list: it is reported, and tried again after
 *   250 ms to 30 s (full jitter), after Retry-After where given (at most a minute), or after a minute where only
 *   a change of configuration can help. A malformed entry is reported and left out.
 * - Two changes in a row are read at once, further ones at one read a second (one in 5 s above 5,000 entries).
 *
 * While it waits for a change nothing of it keeps the process alive, unless a `client` of your own is used.
 *
 * @throws {InvalidOptionError} `ERR_FAIRLEAD_INVALID_OPTION` naming option, range and value.
 * @example consul({ url: 'http://127.0.0.1:8500', tags: ['v2'] })
 */
export function consul(options: ConsulOptions = {}): DiscoveryAdapter {
  const settings = readOptions(options);
  return {
    name: 'consul',
    watch: (service, context) => watchHealth(service, settings, context),
  };
}

/**
 * Asks the local Consul agent for the zone it is in, for `stages.zone.local`: the zone of its locality (Consul 1.17 and
 * later), else what its node's metadata name under `zoneMeta`. Instances that {@link consul} finds are placed by the
 * same rule, with the key `zone`. Gives `undefined` when the agent knows neither.
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
