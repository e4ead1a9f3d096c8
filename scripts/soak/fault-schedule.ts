import { setTimeout as sleep } from 'node:timers/promises';
import type { Rng } from 'fairlead';
import type { MemoryAdapter } from 'fairlead/testing';
import { between, FAULT_KINDS } from './faults.js';
import type { Member } from './fleet.js';

/** Faults last so long, in ms, */
const LEAST_MS = 1_000;
const MOST_MS = 6_000;
/** begin within so many ms when there are several, */
const SPREAD_MS = 1_000;
/** and leave so much peace, at most, before the next. */
const PEACE_MS = 2_500;

/** Makes things go wrong with one server after the other, sometimes two or three at once, never with all. */
export class FaultSchedule {
  /** Faults so far, by kind. */
  readonly injected = new Map<string, number>();
  readonly #active = new Map<Member, string>();
  readonly #unlisted = new Set<Member>();
  readonly #kinds = Object.keys(FAULT_KINDS);
  #deck: string[] = [];

  constructor(
    private readonly members: readonly Member[],
    private readonly source: MemoryAdapter,
    private readonly rng: Rng,
  ) {
    this.#list();
  }

  /** What is wrong now, in words; empty when nothing is. */
  get active(): string {
    return [...this.#active.values()].sort().join(' + ');
  }

  /** Until `signal` aborts; then all is mended. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const dice = this.rng.next();
      const size = dice < 0.6 ? 1 : dice < 0.88 ? 2 : 3;
      const struck = this.#draw(this.members, size);
      await Promise.all(struck.map((member) => this.#strike(member, signal)));
      await rest(between(this.rng, 0, PEACE_MS), signal);
    }
  }

  async #strike(member: Member, signal: AbortSignal): Promise<void> {
    const name = this.#nextKind();
    const durationMs = between(this.rng, LEAST_MS, MOST_MS);
    const fault = FAULT_KINDS[name]?.(
      {
        member,
        list: (isListed) => {
          if (isListed) this.#unlisted.delete(member);
          else this.#unlisted.add(member);
          this.#list();
        },
        breakSource: () => {
          this.source.fail(new Error('the source is broken'));
        },
      },
      this.rng,
    );
    await rest(between(this.rng, 0, SPREAD_MS), signal);
    if (signal.aborted) return;
    this.injected.set(name, (this.injected.get(name) ?? 0) + 1);
    this.#active.set(member, name);
    await fault?.begin();
    await rest(durationMs, signal);
    await fault?.end();
    this.#active.delete(member);
  }

  /** Every kind once before any comes again. */
  #nextKind(): string {
    if (this.#deck.length === 0) this.#deck = this.#draw(this.#kinds, this.#kinds.length);
    return this.#deck.pop() ?? '';
  }

  #list(): void {
    const listed = this.members.filter((member) => !this.#unlisted.has(member));
    this.source.set(
      listed.map(({ id, proxy: { host, port } }): { id: string; host: string; port: number } => ({
        id,
        host,
        port,
      })),
    );
  }

  #draw<T>(from: readonly T[], size: number): T[] {
    const rest = [...from];
    return Array.from({ length: size }, () => {
      const [drawn] = rest.splice(Math.floor(this.rng.next() * rest.length), 1);
      return drawn;
    }).filter((one) => one !== undefined);
  }
}

function rest(ms: number, signal: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal }).catch(() => undefined);
}
