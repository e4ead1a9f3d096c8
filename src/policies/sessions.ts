/** Which instance each session is at: the `maxSessions` used last, each until it was idle for `idleMs`. */
export class Sessions {
  /** In the order of their last use, the longest unused first. */
  readonly #sessions = new Map<string, Session>();

  constructor(
    private readonly maxSessions: number,
    private readonly idleMs: number,
  ) {}

  get size(): number {
    return this.#sessions.size;
  }

  /** The instance id of the session, which counts as a use of it; `undefined` when it is not known. */
  use(key: string, nowMs: number): string | undefined {
    const session = this.#sessions.get(key);
    if (session === undefined || this.#isOver(session, nowMs)) return undefined;
    session.usedMs = nowMs;
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    return session.instanceId;
  }

  /** The same, without a use, and even if it is over. */
  at(key: string): string | undefined {
    return this.#sessions.get(key)?.instanceId;
  }

  bind(key: string, instanceId: string, nowMs: number): void {
    this.#sessions.delete(key);
    this.#sessions.set(key, { instanceId, usedMs: nowMs });
    // Without a timer: a session that is over goes, at the latest, when others come.
    for (const [oldest, session] of this.#sessions) {
      if (this.#sessions.size <= this.maxSessions && !this.#isOver(session, nowMs)) break;
      this.#sessions.delete(oldest);
    }
  }

  #isOver({ usedMs }: Session, nowMs: number): boolean {
    return nowMs - usedMs >= this.idleMs;
  }
}

interface Session {
  readonly instanceId: string;
  usedMs: number;
}
