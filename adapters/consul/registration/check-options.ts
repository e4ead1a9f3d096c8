/** What `check` and `checks` of a registration may be. */
import { InvalidOptionError, show } from '../../../src/errors.js';
import {
  checkBoolean,
  checkKeys,
  checkMs,
  checkNumber,
  checkOneGiven,
  checkString,
  isObject,
} from '../../../src/validate.js';

export type CheckStatus = 'passing' | 'warning' | 'critical';

/** One check of a service: exactly one of its kinds. The agent runs all but {@link TtlCheck}. */
export type CheckOptions = TtlCheck | HttpCheck | TcpCheck | GrpcCheck;

interface EveryCheck {
  /** Default: Consul's own. */
  readonly name?: string | undefined;
  readonly notes?: string | undefined;
  /**
   * What it says until it first hears. Default: `'passing'` for a TTL check, which the registering process passes at
   * once; `'critical'` for the others, until the agent has run them.
   */
  readonly status?: CheckStatus | undefined;
  /**
   * The agent removes a service whose check has been critical for so long, in ms, >= 60,000 (it looks every 30 s, and
   * takes less for a minute); false keeps it for ever. Default 600,000: what a crashed process left behind goes away, and
   * people have the time to look at it. A process that lives registers again.
   */
  readonly deregisterAfterMs?: number | false | undefined;
}

/** The process itself says how it is, by heartbeats; a silence of `ttlMs` is critical. At most one of a service. */
export interface TtlCheck extends EveryCheck {
  /** In ms, >= 1,000. Heartbeats go every third of it, and at least every 10 s. */
  readonly ttlMs: number;
}

interface AgentCheck extends EveryCheck {
  /** In ms, >= 1,000. */
  readonly intervalMs: number;
  /** For one answer, in ms. Default: Consul's, 10 s. */
  readonly timeoutMs?: number | undefined;
}

/** 2xx passes, 429 is a warning, all else is critical. */
export interface HttpCheck extends AgentCheck {
  /** URL that the agent asks. */
  readonly http: string;
  /** Default `'GET'`. */
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** True accepts any certificate. Default false. */
  readonly tlsSkipVerify?: boolean | undefined;
}

/** Passes where a connection can be made. */
export interface TcpCheck extends AgentCheck {
  /** `host:port`. */
  readonly tcp: string;
}

/** The health protocol of gRPC. */
export interface GrpcCheck extends AgentCheck {
  /** `host:port`, or `host:port/service`. */
  readonly grpc: string;
  /** Default false. */
  readonly tls?: boolean | undefined;
  /** True accepts any certificate. Default false. */
  readonly tlsSkipVerify?: boolean | undefined;
}

/** A check as the agent is told of it, but for its id. */
export interface CheckDefinition {
  readonly Name?: string;
  readonly Notes?: string;
  readonly Status?: CheckStatus;
  readonly DeregisterCriticalServiceAfter?: string;
  readonly TTL?: string;
  readonly HTTP?: string;
  readonly Method?: string;
  readonly Header?: Readonly<Record<string, readonly string[]>>;
  readonly TLSSkipVerify?: boolean;
  readonly TCP?: string;
  readonly GRPC?: string;
  readonly GRPCUseTLS?: boolean;
  readonly Interval?: string;
  readonly Timeout?: string;
}

export interface CheckSettings {
  /** Of a TTL check only. */
  readonly ttlMs: number | undefined;
  readonly definition: CheckDefinition;
}

const DEFAULT_TTL_MS = 15_000;
const DEREGISTER_AFTER_MS = 600_000;
const EVERY = ['name', 'notes', 'status', 'deregisterAfterMs'];
const AGENTS = [...EVERY, 'intervalMs', 'timeoutMs'];
const KINDS: Readonly<Record<string, readonly string[]>> = {
  ttlMs: EVERY,
  http: [...AGENTS, 'method', 'headers', 'tlsSkipVerify'],
  tcp: AGENTS,
  grpc: [...AGENTS, 'tls', 'tlsSkipVerify'],
};

export function readChecks({ check, checks }: Record<string, unknown>): readonly CheckSettings[] {
  if (checks === undefined) return [readCheck('check', check ?? { ttlMs: DEFAULT_TTL_MS })];
  if (check !== undefined) throw new InvalidOptionError('check', 'absent beside "checks"', 'one');
  if (!Array.isArray(checks) || checks.length === 0) {
    throw new InvalidOptionError('checks', 'an array of at least one check', checks);
  }
  const read = checks.map((one: unknown, i) => readCheck(`checks[${String(i)}]`, one));
  if (read.filter(({ ttlMs }) => ttlMs !== undefined).length <= 1) return read;
  throw new InvalidOptionError('checks', 'with one TTL check at most', 'several');
}

function readCheck(option: string, check: unknown): CheckSettings {
  if (!isObject(check)) throw new InvalidOptionError(option, 'an object', check);
  const all = [...new Set([...Object.keys(KINDS), ...Object.values(KINDS).flat()])];
  const given = checkKeys(option, check, all);
  const kinds = Object.keys(KINDS).map((kind) => [kind, given[kind]] as const);
  checkOneGiven(option, 'one of ttlMs, http, tcp, grpc', Object.fromEntries(kinds));
  const kind = kinds.find(([, value]) => value !== undefined)?.[0] ?? '';
  checkKeys(option, given, [kind, ...(KINDS[kind] ?? [])]);
  const ttlMs = kind === 'ttlMs' ? atLeastASecond(`${option}.ttlMs`, given['ttlMs']) : undefined;
  return {
    ttlMs,
    definition: withoutUndefined({
      ...readEvery(option, given),
      ...(ttlMs === undefined ? readAgents(option, kind, given) : { TTL: duration(ttlMs) }),
    }),
  };
}

type Loose = { readonly [Key in keyof CheckDefinition]?: CheckDefinition[Key] | undefined };

function readEvery(option: string, given: Record<string, unknown>): Loose {
  const { name, notes, status, deregisterAfterMs: after = DEREGISTER_AFTER_MS } = given;
  return {
    Name: optional(checkString, `${option}.name`, name),
    Notes: optional(checkString, `${option}.notes`, notes),
    Status: optional(checkStatus, `${option}.status`, status),
    DeregisterCriticalServiceAfter:
      after === false ? undefined : duration(checkAfter(`${option}.deregisterAfterMs`, after)),
  };
}

function readAgents(option: string, kind: string, given: Record<string, unknown>): Loose {
  const { intervalMs, timeoutMs, method, headers, tls, tlsSkipVerify } = given;
  const timeout = optional(checkMs, `${option}.timeoutMs`, timeoutMs);
  return {
    ...readTarget(`${option}.${kind}`, kind, given[kind]),
    Interval: duration(atLeastASecond(`${option}.intervalMs`, intervalMs)),
    Timeout: timeout === undefined ? undefined : duration(timeout),
    Method: optional(checkMethod, `${option}.method`, method),
    Header: optional(readHeaders, `${option}.headers`, headers),
    GRPCUseTLS: optional(checkBoolean, `${option}.tls`, tls),
    TLSSkipVerify: optional(checkBoolean, `${option}.tlsSkipVerify`, tlsSkipVerify),
  };
}

function readTarget(option: string, kind: string, target: unknown): Loose {
  if (kind === 'http') return { HTTP: checkUrl(option, target) };
  const text = typeof target === 'string' ? target : '';
  const [, port] = /^(?:\[[\da-f:.]+\]|[^\s:/[\]]+):(\d{1,5})(?:\/.*)?$/i.exec(text) ?? [];
  const fits = port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
  if (kind === 'tcp' && fits && !text.includes('/')) return { TCP: text };
  if (kind === 'grpc' && fits) return { GRPC: text };
  const expected = kind === 'tcp' ? '"host:port"' : '"host:port" or "host:port/service"';
  throw new InvalidOptionError(option, expected, target);
}

function checkUrl(option: string, url: unknown): string {
  if (typeof url === 'string' && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) {
    return url;
  }
  const shown = typeof url === 'string' ? url.replace(/\/\/.*@/s, '//***@') : url;
  throw new InvalidOptionError(option, 'an http or https URL', shown);
}

function checkMethod(option: string, method: unknown): string {
  if (typeof method === 'string' && /^[A-Z]+$/.test(method)) return method;
  throw new InvalidOptionError(option, 'an HTTP method in capitals', method);
}

function readHeaders(option: string, headers: unknown): CheckDefinition['Header'] {
  if (!isObject(headers)) throw new InvalidOptionError(option, 'an object of headers', headers);
  const read = Object.entries(headers).map(([name, value]) => {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (values.every((one) => typeof one === 'string')) return [name, values] as const;
    // A value may be a secret.
    throw new InvalidOptionError(
      `${option}.${name}`,
      'a string, or an array of them',
      typeof value,
    );
  });
  return Object.fromEntries(read);
}

const STATUSES: readonly unknown[] = ['passing', 'warning', 'critical'];

export function isCheckStatus(status: unknown): status is CheckStatus {
  return STATUSES.includes(status);
}

export function checkStatus(option: string, status: unknown): CheckStatus {
  if (isCheckStatus(status)) return status;
  throw new InvalidOptionError(option, `one of ${STATUSES.join(', ')}`, status);
}

function checkAfter(option: string, after: unknown): number {
  if (typeof after === 'number' && after >= 60_000 && after <= MAX_MS) return after;
  const expected = 'false, or a number of milliseconds >= 60000';
  throw new InvalidOptionError(
    option,
    expected,
    after,
    `Option "${option}" must be ${expected}, for Consul takes less for a minute; got ${show(after)}.`,
  );
}

const MAX_MS = 2_147_483_647;

function atLeastASecond(option: string, ms: unknown): number {
  return checkNumber(option, ms, { min: 1_000, max: MAX_MS, unit: 'milliseconds' });
}

function duration(ms: number): string {
  return `${String(ms)}ms`;
}

function optional<T>(
  check: (option: string, value: unknown) => T,
  option: string,
  value: unknown,
): T | undefined {
  return value === undefined ? undefined : check(option, value);
}

function withoutUndefined(loose: Loose): CheckDefinition {
  return Object.fromEntries(Object.entries(loose).filter(([, value]) => value !== undefined));
}
