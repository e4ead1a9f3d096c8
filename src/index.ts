/** `fairlead`: the public door. */
export type { WaitOptions } from './abortable.js';
export type { AttemptContext, CallFunction } from './attempt-context.js';
export type { CallOptions, PickOptions } from './call-options.js';
export { type Client, createClient } from './client.js';
export { type ClientPool, createClientPool } from './client-pool.js';
export type { ClientView } from './client-view.js';
export type { ClientSnapshot, InstanceSnapshot } from './client-snapshot.js';
export { withDeadline, type WithDeadlineOptions, withoutDeadline } from './deadline-scope.js';
export { fromEmitter, poll, type PollOptions } from './discovery.js';
export type { DiscoveryStatus } from './discovery-status.js';
export {
  attemptsOf,
  type CallStory,
  type ErrorCode,
  FairleadError,
  InvalidInstanceError,
  InvalidOptionError,
  isFairleadError,
  storyOf,
} from './errors.js';
export type { EventName, FairleadEvents, Listener } from './events.js';
export type {
  CheckFunction,
  CheckResult,
  HealthCheckOptions,
  OutlierDetectionOptions,
  TcpCheck,
} from './health-options.js';
export type { HttpCheck } from './http-check-options.js';
export type { Learner } from './instance-state.js';
export type { Lease } from './lease.js';
export type {
  BreakerOptions,
  ClientDefaults,
  ClientOptions,
  ClientPoolOptions,
  PolicyName,
  TlsOptions,
} from './options.js';
export { adaptive, type AdaptiveOptions } from './policies/adaptive.js';
export { adaptiveLoad, type AdaptiveLoadOptions } from './policies/adaptive-load.js';
export { bestOf, type BestOfOptions } from './policies/best-of.js';
export type { BalanceOptions } from './policies/hashing.js';
export { leastRequest } from './policies/least-request.js';
export { maglev, type MaglevOptions } from './policies/maglev.js';
export { p2c, type P2cOptions } from './policies/p2c.js';
export { peakEwma, type PeakEwmaOptions } from './policies/peak-ewma.js';
export { random } from './policies/random.js';
export { rendezvous, type RendezvousOptions } from './policies/rendezvous.js';
export { ringHash, type RingHashOptions } from './policies/ring-hash.js';
export { roundRobin } from './policies/round-robin.js';
export { serverWeighted, type ServerWeightedOptions } from './policies/server-weighted.js';
export { sticky, type StickyOptions } from './policies/sticky.js';
export { weightedRoundRobin } from './policies/weighted-round-robin.js';
export { classify } from './resilience/classify.js';
export type {
  AdaptiveLimitOptions,
  ConcurrencyOptions,
  HedgeOptions,
  RetryBudgetOptions,
  RetryOptions,
} from './resilience-options.js';
export type { SavedListOptions } from './saved-list-options.js';
export type { Explanation } from './selection.js';
export type { Selector } from './stages/selector.js';
export type {
  PriorityOptions,
  StagesOptions,
  SubsetOptions,
  ZoneOptions,
  ZoneSource,
} from './topology-options.js';
export type * from './types.js';
