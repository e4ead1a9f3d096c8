const MISSES_THAT_MEAN_DOWN = 2;
const PROBES_THAT_MEAN_WELL = 3;

/**
 * What a probe found: `good`, the agent answers and knows a leader; `poor`, it answers something else; `missed`, it does
 * not answer.
 */
export type ProbeResult = 'good' | 'poor' | 'missed';

/**
 * What a probe changed: `down`, the agent does not answer any more; `well`, it is good again after it was not;
 * `trusted`, it has been for so long that it is worth going back to.
 */
export type AgentNews = 'down' | 'well' | 'trusted';

/** What probes and failed reads say of one agent. */
export class Liveness {
  #last: ProbeResult = 'good';
  #missesInARow = 0;
  #goodInARow = PROBES_THAT_MEAN_WELL;
  #recoveries = 0;

  get isDown(): boolean {
    return this.#missesInARow >= MISSES_THAT_MEAN_DOWN;
  }

  /** True when it never failed, or has answered three probes well since. */
  get isTrusted(): boolean {
    return this.#goodInARow >= PROBES_THAT_MEAN_WELL;
  }

  /** How often it was good again after it was not. */
  get recoveries(): number {
    return this.#recoveries;
  }

  /** A read succeeded: whatever the probes missed, it answers. */
  succeeded(): void {
    this.#missesInARow = 0;
  }

  /** A read failed for a reason that may be the agent's. */
  failed(): void {
    this.#goodInARow = 0;
  }

  probed(result: ProbeResult): readonly AgentNews[] {
    const [wasDown, wasTrusted, before] = [this.isDown, this.isTrusted, this.#last];
    this.#last = result;
    this.#missesInARow = result === 'missed' ? this.#missesInARow + 1 : 0;
    this.#goodInARow = result === 'good' ? this.#goodInARow + 1 : 0;
    const news: AgentNews[] = [];
    if (this.isDown && !wasDown) news.push('down');
    if (result === 'good' && before !== 'good') {
      this.#recoveries++;
      news.push('well');
    }
    if (this.isTrusted && !wasTrusted) news.push('trusted');
    return news;
  }
}
