import { AgentError } from '../agent-error.js';
import type { CheckSettings } from './check-options.js';
import { checkId, defineService } from './definition.js';
import type { HealthReport } from './health-report.js';
import type { RequestLimits, ServiceAgent } from './service-agent.js';
import type { DetailSettings, ServiceSettings } from './service-details.js';

export interface PresenceListeners {
  /** The agent has taken the registration, for the first time or again. */
  readonly onRegistered: () => void;
  /** The agent does not have it any more. */
  readonly onLost: () => void;
}

/**
 * What the agent is to have of one service, and what of it the agent was told: {@link confirm} tells the rest. One call
 * at a time.
 */
export class Presence {
  #service: ServiceSettings;
  #registered = false;
  #mayComeLate = false;
  #maintenance = { on: false, reason: '' };
  readonly #untold = new Set<'service' | 'leftovers' | 'maintenance'>(['service', 'leftovers']);
  readonly #checkIds: readonly string[];
  readonly #ttlCheckId: string | undefined;

  constructor(
    service: ServiceSettings,
    private readonly checks: readonly CheckSettings[],
    private readonly agent: ServiceAgent,
    private readonly listeners: PresenceListeners,
  ) {
    this.#service = service;
    this.#checkIds = checks.map((_, i) => checkId(service.id, i, checks.length));
    this.#ttlCheckId = this.#checkIds[checks.findIndex(({ ttlMs }) => ttlMs !== undefined)];
  }

  /** Whether the agent has it, as far as is known. */
  get isRegistered(): boolean {
    return this.#registered;
  }

  /** Whether a registration was sent to which no reply came: the agent may carry it out, and at any time. */
  get mayComeLate(): boolean {
    return this.#mayComeLate;
  }

  /** Whether the agent may have it: what it refused, or was never sent, it has not. */
  get mayBeRegistered(): boolean {
    return this.#registered || this.#mayComeLate;
  }

  get details(): DetailSettings {
    return this.#service;
  }

  get inMaintenance(): boolean {
    return this.#maintenance.on;
  }

  setMaintenance(on: boolean, reason: string): void {
    this.#maintenance = { on, reason };
    this.#untold.add('maintenance');
  }

  setDetails(details: DetailSettings): void {
    this.#service = { ...this.#service, ...details };
    this.#untold.add('service');
  }

  /**
   * Tells the agent what it was not told yet, and how the service is; or, without a TTL check, asks whether it still has
   * it. What an agent has lost, by a restart say, it is told again at once.
   */
  async confirm(report: HealthReport, limits: RequestLimits): Promise<void> {
    for (let time = 1; time <= 2; time++) {
      await this.#register(report, limits);
      if (await this.#report(report, limits)) return;
      this.#registered = false;
      this.#untold.add('service');
      if (this.#maintenance.on) this.#untold.add('maintenance');
      this.listeners.onLost();
    }
    throw new AgentError('it lost the service as soon as it had it');
  }

  async leave(limits: RequestLimits): Promise<void> {
    await this.agent.deregister(limits);
    this.#registered = false;
  }

  async #register(report: HealthReport, limits: RequestLimits): Promise<void> {
    if (this.#untold.has('service')) {
      const hidden = this.#maintenance.on;
      const definition = defineService(this.#service, this.checks, report.status, hidden);
      await this.agent.register(definition, limits, () => {
        this.#mayComeLate = true;
      });
      this.#registered = true;
      this.#untold.delete('service');
      this.listeners.onRegistered();
    }
    if (this.#untold.has('leftovers')) {
      await this.agent.dropOtherChecks(this.#checkIds, limits);
      this.#untold.delete('leftovers');
    }
  }

  /** Gives false when the agent does not know the service, or the check. */
  async #report(report: HealthReport, limits: RequestLimits): Promise<boolean> {
    const { agent } = this;
    const id = this.#ttlCheckId;
    if (this.#untold.has('maintenance')) {
      const { on, reason } = this.#maintenance;
      if ((await agent.maintain(on, reason, limits)) === 'unknown') return false;
      this.#untold.delete('maintenance');
    }
    const answer = await (id === undefined
      ? agent.look(limits)
      : agent.heartbeat(id, report, limits));
    return answer === 'known';
  }
}
