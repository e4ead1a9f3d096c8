import { Emitter } from '../../src/emitter.js';
import type { WaitOptions } from '../../src/abortable.js';
import { backgroundClock, realEnv } from '../../src/env.js';
import { FairleadError, show } from '../../src/errors.js';
import type { Clock, Env } from '../../src/types.js';
import { agentOver } from './agent.js';
import { AgentError } from './agent-error.js';
import {
  readRegistrationOptions,
  readSignal,
  type RegistrationOptions,
  type RegistrationSettings,
} from './registration/options.js';
import { paceOf } from './registration/pace.js';
import { Presence } from './registration/presence.js';
import type { Registration, RegistrationEvents } from './registration/registration.js';
import { serviceAgent } from './registration/service-agent.js';
import { ServiceRegistration } from './registration/service-registration.js';
import { joinPool } from './registration/shared-pool.js';
import { shutdownSignals, type ShutdownSignals } from './registration/shutdown-signals.js';
import { callOffTakeBack, takeBack } from './registration/take-back.js';
import { Upkeep } from './registration/upkeep.js';

/** A start that failed waits so long until the agent was told; then that goes on in the background. */
const TAKE_BACK_MS = 250;
/** For a process that is to end the background is no place. */
const TAKE_BACK_AT_END_MS = 3_000;

/**
 * Registers a service at the local Consul agent and keeps it registered: resolves when the agent has it and its TTL check
 * has been passed on.
 *
 * - Heartbeats go every third of the TTL, and at least every 10 s; one that fails is tried again within a sixtieth.
 *   Without a TTL check the agent is asked every 10 s whether it still has the service.
 * - An agent that has lost it, by a restart say, is told again at once, with its maintenance mode. Where somebody else
 *   changes it under its id, that is left as it is until the next registration.
 * - Checks that an earlier version of the service left under its id are removed; a maintenance mode stays.
 * - {@link Registration.stop} takes it out in an order that costs callers nothing.
 *
 * Nothing of it keeps the process alive, but for what somebody waits for.
 *
 * Rejects with `ERR_FAIRLEAD_DISCOVERY` at once where only another configuration helps (a token), else after `timeoutMs`;
 * with `ERR_FAIRLEAD_INVALID_OPTION` naming option, range and value; or with the reason of the signal, which ends the
 * waiting and the registration with it. What the agent may have taken of it by then is taken back: at once, or in the
 * background when the agent needs more than 250 ms.
 *
 * @example
 * const registration = await registerService({
 *   name: 'orders',
 *   port: 8080,
 *   signals: true,
 *   drain: () => new Promise((done) => server.close(done)),
 * });
 */
export async function registerService(
  options: RegistrationOptions,
  { signal }: WaitOptions = {},
): Promise<Registration> {
  const settings = readRegistrationOptions(options);
  const surroundings = { env: realEnv(), signals: shutdownSignals };
  return startRegistration(settings, surroundings, readSignal(signal));
}

export interface RegistrationSurroundings {
  readonly env: Env;
  readonly signals: ShutdownSignals;
}

export async function startRegistration(
  settings: RegistrationSettings,
  { env, signals }: RegistrationSurroundings,
  signal?: AbortSignal,
): Promise<Registration> {
  signal?.throwIfAborted();
  const { service, checks, health } = settings;
  const { id } = service;
  const background: Env = { clock: backgroundClock(env.clock), rng: env.rng };
  const connections = joinPool(settings.agent.source, background.clock);
  callOffTakeBack(connections.pool, id);
  const agent = agentOver(connections, settings.agent, background.clock);
  const events = new Emitter<RegistrationEvents>(
    ['registered', 'lost', 'fault', 'stopped'],
    'fairlead:registration.',
  );
  const presence = new Presence(service, checks, serviceAgent(agent, id), {
    onRegistered: () => {
      events.emit('registered', { id });
    },
    onLost: () => {
      events.emit('lost', { id });
    },
  });
  const ttl = checks.find(({ ttlMs }) => ttlMs !== undefined);
  const upkeep = new Upkeep({
    presence,
    health,
    first: { status: ttl?.definition.Status ?? 'passing', output: '' },
    pace: paceOf(ttl?.ttlMs),
    env: background,
    scrub: agent.scrub,
    onFault: (cause, failures) => {
      events.emit('fault', { id, message: `${agent.label}: ${cause.message}`, failures, cause });
    },
  });
  const start = createStart(id);
  let stop = (): Promise<void> => start.stop();
  const unguard = signals.guard(settings.signals, () => stop());
  try {
    await begin(upkeep, settings, env, [signal, start.stopped]);
  } catch (error) {
    const { pool } = connections;
    const { clock } = background;
    const onEnd = (): void => {
      agent.close();
    };
    const taken = takeBack(pool, id, { presence, upkeep, clock, onEnd });
    void taken.finally(() => {
      unguard();
      start.over();
    });
    await atMost(start.stopped.aborted ? TAKE_BACK_AT_END_MS : TAKE_BACK_MS, taken, env.clock);
    signal?.throwIfAborted();
    // The process ends by its signal first: an application may end it otherwise for what is thrown here.
    if (start.stopped.aborted) await env.clock.sleep(0);
    start.stopped.throwIfAborted();
    throw refusal(error, upkeep.fault, agent.label, settings);
  }
  const registration = new ServiceRegistration({
    settings,
    agent,
    presence,
    upkeep,
    events,
    clock: env.clock,
  });
  stop = () => registration.stop();
  registration.guardWith(unguard);
  void upkeep.keep();
  return registration;
}

/** The first registration, for `timeoutMs` at most. Its timer keeps the process alive meanwhile. */
async function begin(
  upkeep: Upkeep,
  { timeoutMs }: RegistrationSettings,
  { clock }: Env,
  signals: readonly (AbortSignal | undefined)[],
): Promise<void> {
  const limit = new AbortController();
  const onAbort = (event: Event): void => {
    limit.abort((event.target as AbortSignal).reason);
  };
  for (const signal of signals) signal?.addEventListener('abort', onAbort, { once: true });
  const timer = clock.setTimer(timeoutMs, () => {
    limit.abort(new AgentError('no answer came'));
  });
  try {
    await upkeep.begin(limit.signal);
  } finally {
    timer.cancel();
    for (const signal of signals) signal?.removeEventListener('abort', onAbort);
  }
}

interface Start {
  /** Ends it; resolves when it is over. */
  readonly stop: () => Promise<void>;
  /** Aborts when it is to end. */
  readonly stopped: AbortSignal;
  readonly over: () => void;
}

/** What a signal of the system stops while there is no registration yet. */
function createStart(id: string): Start {
  const end = new AbortController();
  let over: () => void = () => undefined;
  const isOver = new Promise<void>((resolve) => (over = resolve));
  return {
    stop() {
      const message = `The registration of ${id} was stopped before the agent had it.`;
      end.abort(new FairleadError('ERR_FAIRLEAD_CLOSED', message));
      return isOver;
    },
    stopped: end.signal,
    over,
  };
}

/** Waits for `work`, for `ms` at most; the process lives on meanwhile. */
function atMost(ms: number, work: Promise<void>, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(ms, resolve);
    void work.finally(() => {
      timer.cancel();
      resolve();
    });
  });
}

function refusal(
  error: unknown,
  fault: AgentError | undefined,
  label: string,
  { service, timeoutMs }: RegistrationSettings,
): FairleadError {
  const cause = fault ?? error;
  const told =
    cause instanceof AgentError && cause.kind === 'permanent'
      ? `${label} refused the registration of ${show(service.id)}`
      : `${label} did not take the registration of ${show(service.id)} within ${String(timeoutMs)} ms`;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new FairleadError('ERR_FAIRLEAD_DISCOVERY', `${told}: ${message}`, { cause });
}
