/** The options of `registerService`, checked. */
import { constants, hostname } from 'node:os';
import { InvalidOptionError } from '../../../src/errors.js';
import {
  checkBoolean,
  checkFunction,
  checkKeys,
  checkMs,
  checkMsOrZero,
  checkString,
  isObject,
} from '../../../src/validate.js';
import {
  AGENT_KEYS,
  type AgentOptions,
  type AgentSettings,
  readAgentOptions,
} from '../agent-options.js';
import { type CheckOptions, type CheckSettings, readChecks } from './check-options.js';
import type { HealthFunction } from './health-report.js';
import {
  checkHost,
  checkPort,
  NO_DETAILS,
  readDetails,
  readTaggedAddresses,
  type ServiceDetails,
  type ServiceSettings,
  type TaggedAddress,
} from './service-details.js';

/**
 * The agent (`url`, `token`, `tls`, `client`) is the one on this machine: a registration belongs to its agent. The token
 * needs `service:write` for the name.
 */
export interface RegistrationOptions extends AgentOptions, ServiceDetails {
  /** Name of the service: what callers look for. */
  readonly name: string;
  /** TCP port, 1 to 65535. */
  readonly port: number;
  /**
   * Unique among the services of the agent, and the same after a restart of the process, so that it takes the place of what
   * the last one left. Default `<name>-<address or host name>-<port>`.
   */
  readonly id?: string | undefined;
  /** Host name or IP address, IPv6 without brackets. Default: that of the agent's node. */
  readonly address?: string | undefined;
  /** Other addresses, under names such as `lan`, `wan`, `lan_ipv4`; `port` defaults to that of the service. */
  readonly taggedAddresses?: Readonly<Record<string, TaggedAddress>> | undefined;
  /** True lets others change the tags in the catalogue. Default false. */
  readonly enableTagOverride?: boolean | undefined;
  /** One check. Default `{ ttlMs: 15_000 }`. */
  readonly check?: CheckOptions | undefined;
  /** Several checks, one TTL check at most; in place of `check`. */
  readonly checks?: readonly CheckOptions[] | undefined;
  /**
   * Asked for each heartbeat of the TTL check how the process is. What it throws is `'critical'`, and so is no answer
   * within a sixth of `ttlMs` (2.5 s by default), when its signal aborts; it is not called again before that call has ended.
   * Default: always `'passing'`.
   */
  readonly health?: HealthFunction | undefined;
  /** For the first registration, retries included, in ms. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * How long a stop waits, after the service is deregistered, until its callers have heard of it, in ms. Default 1,000; a
   * Fairlead client needs at most that, one of more than 5,000 instances 5,000.
   */
  readonly settleMs?: number | undefined;
  /**
   * Called after that, to finish what is under way, and waited for: `() => new Promise((done) => server.close(done))`, for
   * `close` itself does not wait.
   */
  readonly drain?: DrainFunction | undefined;
  /** A stop does not wait longer for `drain`, in ms; whose signal aborts then. Default 30,000. */
  readonly drainTimeoutMs?: number | undefined;
  /**
   * Signals of the system on which to stop, and then to let the process end by the signal, as it would have; a second one
   * during the stop ends it at once. True is `['SIGTERM', 'SIGINT']`. Default false: no signal is touched.
   */
  readonly signals?: boolean | readonly NodeJS.Signals[] | undefined;
}

/** The signal aborts after `drainTimeoutMs`. */
export type DrainFunction = (signal: AbortSignal) => Promise<unknown>;

/** The options, checked, with defaults. */
export interface RegistrationSettings {
  readonly agent: AgentSettings;
  readonly service: ServiceSettings;
  readonly checks: readonly CheckSettings[];
  readonly health: HealthFunction | undefined;
  readonly timeoutMs: number;
  readonly stop: StopSettings;
  readonly signals: readonly NodeJS.Signals[];
}

export interface StopSettings {
  readonly settleMs: number;
  readonly drain: DrainFunction | undefined;
  readonly drainTimeoutMs: number;
}

export const STOP_KEYS: readonly (keyof StopSettings)[] = ['settleMs', 'drain', 'drainTimeoutMs'];

const KEYS: readonly (keyof RegistrationOptions)[] = [
  ...AGENT_KEYS,
  ...STOP_KEYS,
  'name',
  'port',
  'id',
  'address',
  'tags',
  'meta',
  'taggedAddresses',
  'weights',
  'enableTagOverride',
  'check',
  'checks',
  'health',
  'timeoutMs',
  'signals',
];

export function readRegistrationOptions(options: unknown): RegistrationSettings {
  const given = checkKeys('', options, KEYS);
  const checks = readChecks(given);
  const { health } = given;
  if (health !== undefined && checks.every(({ ttlMs }) => ttlMs === undefined)) {
    throw new InvalidOptionError('health', 'absent without a TTL check', health);
  }
  return {
    agent: readAgentOptions(given),
    service: readService(given),
    checks,
    health: health === undefined ? undefined : checkFunction('health', health as HealthFunction),
    timeoutMs: checkMs('timeoutMs', given['timeoutMs'] ?? 10_000),
    stop: readStop(given, { settleMs: 1_000, drain: undefined, drainTimeoutMs: 30_000 }),
    signals: readSignals(given['signals'] ?? false),
  };
}

export function readStop(given: Record<string, unknown>, defaults: StopSettings): StopSettings {
  const { settleMs, drain, drainTimeoutMs } = given;
  return {
    settleMs: checkMsOrZero('settleMs', settleMs ?? defaults.settleMs),
    drain: drain === undefined ? defaults.drain : checkFunction('drain', drain as DrainFunction),
    drainTimeoutMs: checkMs('drainTimeoutMs', drainTimeoutMs ?? defaults.drainTimeoutMs),
  };
}

/** The signal of somebody who waits. */
export function readSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  // By shape: one of another realm or of a polyfill serves too.
  const fits =
    isObject(signal) && 'aborted' in signal && typeof signal['addEventListener'] === 'function';
  if (fits) return signal as unknown as AbortSignal;
  throw new InvalidOptionError('signal', 'an AbortSignal', signal);
}

function readService(given: Record<string, unknown>): ServiceSettings {
  const name = checkString('name', given['name']);
  const address = given['address'] === undefined ? '' : checkHost('address', given['address']);
  const port = checkPort('port', given['port']);
  const id = given['id'] ?? `${name}-${address || hostname()}-${String(port)}`;
  return {
    name,
    id: checkString('id', id),
    address,
    port,
    taggedAddresses: readTaggedAddresses(given['taggedAddresses'] ?? {}, port),
    enableTagOverride: checkBoolean('enableTagOverride', given['enableTagOverride'] ?? false),
    ...readDetails(given, NO_DETAILS),
  };
}

function readSignals(signals: unknown): readonly NodeJS.Signals[] {
  if (signals === false) return [];
  if (signals === true) return ['SIGTERM', 'SIGINT'];
  const known = (signal: unknown): signal is NodeJS.Signals =>
    typeof signal === 'string' && Object.hasOwn(constants.signals, signal) && !DEAF.has(signal);
  if (Array.isArray(signals) && signals.every(known)) return [...new Set(signals)];
  const expected = 'true, false, or an array of signals that can be caught';
  throw new InvalidOptionError('signals', expected, signals);
}

const DEAF: ReadonlySet<string> = new Set(['SIGKILL', 'SIGSTOP']);
