import type { ConsulLike } from '../../adapters/consul.js';
import type { PapiClient } from '../../adapters/consul/client.js';
import { startRegistration } from '../../adapters/consul/registration.js';
import {
  readRegistrationOptions,
  type RegistrationOptions,
} from '../../adapters/consul/registration/options.js';
import type { Registration } from '../../adapters/consul/registration/registration.js';
import {
  createShutdownSignals,
  type SignalTarget,
} from '../../adapters/consul/registration/shutdown-signals.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import type { Rng } from '../../src/types.js';
import { type Watched, watched } from '../support/promises.js';

/** One request, as the agent saw it. */
export interface Asked {
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string | readonly string[]>>;
  readonly body: unknown;
  readonly token: string | undefined;
}

/**
 * How the agent behaves: as a healthy one, with this status and text, not at all, unreachable, or unreachable at each
 * address of its name.
 */
export type Behaviour =
  'well' | readonly [status: number, text: string] | 'hangs' | 'refuses' | 'refuses everywhere';

export interface FakeAgent extends ConsulLike, PapiClient {
  readonly asked: readonly Asked[];
  readonly services: Map<string, Record<string, unknown>>;
  /** Status and output of each check by id. */
  readonly checks: Map<string, { serviceId: string; status: string; output: string }>;
  /** Decides for each request; what it leaves undefined goes well. */
  behave: (request: Asked) => Behaviour | undefined;
}

/** What Consul 1.8 does of it, in memory. */
function fakeAgent(clock: ManualClock): FakeAgent {
  const asked: Asked[] = [];
  const agent: FakeAgent = {
    asked,
    services: new Map(),
    checks: new Map(),
    behave: () => undefined,
    agent: {},
    health: {},
    kv: {},
    session: {},
    _request: ({ method, path, params, query, headers, body, ctx }) =>
      new Promise((resolve, reject) => {
        if (ctx.canceled) throw new Error('ctx already canceled');
        ctx.once('cancel', () => reject(new Error('request aborted')));
        const request: Asked = {
          atMs: clock.now(),
          method,
          path: path.replace(/\{(\w+)\}/g, (_, name: string) => String(params[name])),
          query,
          body,
          token: headers['x-consul-token'],
        };
        asked.push(request);
        const behaviour = agent.behave(request) ?? 'well';
        if (behaviour === 'hangs') return;
        if (behaviour === 'refuses') {
          reject(refused());
          return;
        }
        if (behaviour === 'refuses everywhere') {
          reject(
            Object.assign(new AggregateError([refused(), refused()]), { code: 'ECONNREFUSED' }),
          );
          return;
        }
        const [status, text] = behaviour === 'well' ? answer(agent, request) : behaviour;
        resolve({
          res: {
            statusCode: status,
            headers: { 'content-type': 'application/json' },
            body: Buffer.from(text),
          },
        });
      }),
  };
  return agent;
}

/** As Node's. */
function refused(): Error {
  const details = { code: 'ECONNREFUSED', syscall: 'connect' };
  return Object.assign(new Error('connect ECONNREFUSED'), details);
}

function answer(agent: FakeAgent, { path, body, query }: Asked): readonly [number, string] {
  const { services, checks } = agent;
  const [, , kind = '', verb = '', id = ''] = path.split('/');
  const given = body as Record<string, unknown>;
  switch (`${kind} ${verb}`) {
    case 'service register':
      services.set(String(given['ID']), given);
      for (const { CheckID, Status } of given['Checks'] as Record<string, string>[]) {
        const kept = checks.get(String(CheckID));
        const first = { serviceId: String(given['ID']), status: Status ?? 'critical', output: '' };
        checks.set(String(CheckID), kept ?? first);
      }
      return [200, ''];
    case 'check update':
      if (!checks.has(id)) return [500, `CheckID "${id}" does not have associated TTL`];
      Object.assign(checks.get(id) ?? {}, { status: given['Status'], output: given['Output'] });
      return [200, ''];
    case 'check deregister':
      checks.delete(id);
      return [200, ''];
    case 'service maintenance': {
      if (!services.has(id)) return [404, `No service registered with ID "${id}"`];
      const check = `_service_maintenance:${id}`;
      const output = String(query['reason'] ?? '');
      if (query['enable'] === 'true')
        checks.set(check, { serviceId: id, status: 'critical', output });
      else checks.delete(check);
      return [200, ''];
    }
    case 'service deregister':
      forget(agent, id);
      return [200, ''];
    case 'checks ':
      return [
        200,
        JSON.stringify(
          Object.fromEntries(
            [...checks].map(([CheckID, { serviceId }]) => [
              CheckID,
              { CheckID, ServiceID: serviceId },
            ]),
          ),
        ),
      ];
    default: {
      // GET /agent/service/{id}
      const found = services.get(verb);
      return found === undefined ? [404, `unknown service ID: ${verb}`] : [200, JSON.stringify({})];
    }
  }
}

/** As after a restart without its state. */
export function forget({ services, checks }: FakeAgent, id: string): void {
  services.delete(id);
  for (const [checkId, { serviceId }] of checks) if (serviceId === id) checks.delete(checkId);
}

/** Jitter at its middle. */
export const half: Rng = { next: () => 0.5 };

export interface FakeProcess extends SignalTarget {
  readonly killed: readonly string[];
  listeners(signal: string): number;
  send(signal: NodeJS.Signals): void;
}

export function fakeProcess(): FakeProcess {
  const listeners: [string, (signal: NodeJS.Signals) => void][] = [];
  const killed: string[] = [];
  return {
    pid: 7,
    killed,
    on: (signal, listener) => listeners.push([signal, listener]),
    removeListener(signal, listener) {
      const at = listeners.findIndex(([name, fn]) => name === signal && fn === listener);
      if (at >= 0) listeners.splice(at, 1);
    },
    kill: (_pid, signal) => killed.push(signal),
    listeners: (signal) => listeners.filter(([name]) => name === signal).length,
    send(signal) {
      for (const [name, listener] of [...listeners]) if (name === signal) listener(signal);
    },
  };
}

export interface Scene {
  readonly agent: FakeAgent;
  readonly clock: ManualClock;
  readonly process: FakeProcess;
  readonly begun: Watched<Registration>;
  /** Paths asked since the last look, with the time. */
  news(): string[];
}

function newWorld(): Pick<Scene, 'clock' | 'agent' | 'process'> {
  const clock = new ManualClock();
  return { clock, agent: fakeAgent(clock), process: fakeProcess() };
}

export async function begin(
  options: Partial<RegistrationOptions> = {},
  prepare: (agent: FakeAgent) => void = () => {},
  signal?: AbortSignal,
  /** Begins in the process of an earlier one, at its agent. */
  { clock, agent, process }: Pick<Scene, 'clock' | 'agent' | 'process'> = newWorld(),
): Promise<Scene> {
  prepare(agent);
  const settings = readRegistrationOptions({
    name: 'web',
    id: 'web-1',
    port: 8080,
    client: agent,
    ...options,
  });
  const signals = createShutdownSignals(process);
  const begun = watched(
    startRegistration(settings, { env: { clock, rng: half }, signals }, signal),
  );
  await settle();
  let seen = 0;
  return {
    agent,
    clock,
    process,
    begun,
    news: () => {
      const fresh = agent.asked.slice(seen);
      seen = agent.asked.length;
      return fresh.map(({ atMs, path }) => `${atMs} ${path.replace('/agent/', '')}`);
    },
  };
}

/** A scene whose service is registered. */
export async function registered(
  options: Partial<RegistrationOptions> = {},
  prepare?: (agent: FakeAgent) => void,
): Promise<Scene & { readonly registration: Registration }> {
  const scene = await begin(options, prepare);
  const { value, error } = scene.begun;
  if (value === undefined) throw error ?? new Error('it is not registered yet');
  scene.news();
  return { ...scene, registration: value };
}
