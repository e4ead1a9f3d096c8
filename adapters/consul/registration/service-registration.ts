import { abortable } from '../../../src/abortable.js';
import { FairleadError, InvalidOptionError } from '../../../src/errors.js';
import type { Clock } from '../../../src/types.js';
import { checkBoolean, checkKeys } from '../../../src/validate.js';
import type { Agent } from '../agent.js';
import { AgentError } from '../agent-error.js';
import { checkStatus, type CheckStatus } from './check-options.js';
import type { Emitter } from '../../../src/emitter.js';
import { short } from './health-report.js';
import {
  readSignal,
  readStop,
  type RegistrationSettings,
  STOP_KEYS,
  type StopSettings,
} from './options.js';
import type { Presence } from './presence.js';
import type {
  Registration,
  RegistrationEvents,
  RegistrationStatus,
  StopOptions,
} from './registration.js';
import { DETAIL_KEYS, readDetails, type ServiceDetails } from './service-details.js';
import type { Upkeep } from './upkeep.js';

export interface RegistrationParts {
  readonly settings: RegistrationSettings;
  readonly agent: Agent;
  readonly presence: Presence;
  readonly upkeep: Upkeep;
  readonly events: Emitter<RegistrationEvents>;
  /** Its timers keep the process alive: what somebody waits for must not end half-way. */
  readonly clock: Clock;
}

/** A service that is registered, until it is stopped. */
export class ServiceRegistration implements Registration {
  readonly id: string;
  readonly name: string;
  #stopping: Promise<void> | undefined;
  #stopped = false;
  #unguard: () => void = () => undefined;

  constructor(private readonly parts: RegistrationParts) {
    const { id, name } = parts.settings.service;
    this.id = id;
    this.name = name;
  }

  /** @param unguard called when it has stopped. */
  guardWith(unguard: () => void): void {
    this.#unguard = unguard;
  }

  status(): RegistrationStatus {
    const { agent, presence, upkeep, clock } = this.parts;
    const { confirmedMs, fault, failures, report } = upkeep;
    const standing = presence.isRegistered ? 'registered' : 'lost';
    return {
      id: this.id,
      name: this.name,
      agent: agent.label,
      state: this.#stopped ? 'stopped' : this.#stopping === undefined ? standing : 'stopping',
      check: this.#hasTtl ? report.status : undefined,
      output: this.#hasTtl ? report.output : undefined,
      maintenance: presence.inMaintenance,
      confirmedAgoMs: confirmedMs === undefined ? undefined : clock.now() - confirmedMs,
      failures,
      lastFault: fault?.message,
    };
  }

  on<Name extends keyof RegistrationEvents>(
    name: Name,
    listener: (event: RegistrationEvents[Name]) => void,
  ): () => void {
    return this.parts.events.on(name, listener);
  }

  async setStatus(status: CheckStatus, output = ''): Promise<void> {
    const report = { status: checkStatus('status', status), output: short(output) };
    if (!this.#hasTtl) {
      throw new InvalidOptionError('status', 'left to the agent without a TTL check', status);
    }
    await this.#tell('status', () => {
      this.parts.upkeep.say(report);
    });
  }

  async maintenance(on: boolean, reason = ''): Promise<void> {
    checkBoolean('on', on);
    await this.#tell('maintenance mode', () => {
      this.parts.presence.setMaintenance(on, reason);
    });
  }

  async update(details: ServiceDetails): Promise<void> {
    const { presence } = this.parts;
    const given = checkKeys('', details, DETAIL_KEYS);
    let before = presence.details;
    readDetails(given, before);
    await this.#tell(
      'update',
      () => {
        before = presence.details;
        presence.setDetails(readDetails(given, before));
      },
      () => {
        presence.setDetails(before);
      },
    );
  }

  async stop(options: StopOptions = {}): Promise<void> {
    const { signal, ...given } = checkKeys('', options, [...STOP_KEYS, 'signal']);
    const waiting = readSignal(signal);
    const settings = readStop(given, this.parts.settings.stop);
    this.#stopping ??= this.#stop(settings);
    await abortable(this.#stopping, waiting);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #hasTtl(): boolean {
    return this.parts.settings.checks.some(({ ttlMs }) => ttlMs !== undefined);
  }

  async #tell(what: string, change: () => void, undo?: () => void): Promise<void> {
    const { upkeep, agent, clock } = this.parts;
    const closed = (): FairleadError =>
      new FairleadError('ERR_FAIRLEAD_CLOSED', `The registration of ${this.id} is stopped.`);
    if (this.#stopping !== undefined) throw closed();
    const hold = holdProcess(clock);
    try {
      await upkeep.now(change, undo);
    } catch (cause) {
      if (!(cause instanceof AgentError)) throw closed();
      throw new FairleadError(
        'ERR_FAIRLEAD_DISCOVERY',
        `${agent.label} did not take the ${what} of ${this.id}: ${cause.message}`,
        { cause },
      );
    } finally {
      hold.cancel();
    }
  }

  /** Callers are told first, then given the time to hear of it; only then is what serves them closed. */
  async #stop({ settleMs, drain, drainTimeoutMs }: StopSettings): Promise<void> {
    const { upkeep, agent, events, clock } = this.parts;
    const hold = holdProcess(clock);
    let deregistered = false;
    try {
      deregistered = await upkeep.end();
      await clock.sleep(settleMs);
      if (drain !== undefined) await this.#drain(drain, drainTimeoutMs);
    } finally {
      hold.cancel();
      agent.close();
      this.#stopped = true;
      events.emit('stopped', { id: this.id, deregistered });
      events.removeAll();
      this.#unguard();
    }
  }

  async #drain(drain: NonNullable<StopSettings['drain']>, drainTimeoutMs: number): Promise<void> {
    const { events, clock } = this.parts;
    const limit = new AbortController();
    const timer = clock.setTimer(drainTimeoutMs, () => {
      const message = `drain was not done within drainTimeoutMs ${String(drainTimeoutMs)}.`;
      limit.abort(new FairleadError('ERR_FAIRLEAD_DEADLINE_EXCEEDED', message));
    });
    try {
      const drained = Promise.resolve(limit.signal).then(drain);
      await abortable(drained, limit.signal);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      events.emit('fault', {
        id: this.id,
        message: `drain failed: ${message}`,
        failures: 1,
        cause,
      });
      throw cause;
    } finally {
      timer.cancel();
    }
  }
}

/** Keeps the process alive until it is cancelled: sockets and other timers of a registration do not. */
function holdProcess(clock: Clock): { cancel(): void } {
  return clock.setTimer(FOR_EVER_MS, () => undefined);
}

/** The longest that Node's timers take. */
const FOR_EVER_MS = 2_147_483_647;
