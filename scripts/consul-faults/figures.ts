/** What came of one fault. */
export interface FaultFigures {
  readonly fault: string;
  /** From the strike until the agent itself gave the right list again, in ms. */
  readonly lastedMs: number;
  readonly isForGood: boolean;
  readonly fairlead: WatcherFigures;
  readonly npm: WatcherFigures;
}

export interface WatcherFigures {
  /** Whether it had a list when the fault struck. */
  readonly hadList: boolean;
  /** For how long it gave an empty list although instances lived, in ms. */
  readonly emptyMs: number;
  /** For how long its list was not empty, but without an instance that lived throughout, in ms. */
  readonly lackingMs: number;
  /** From the cure until its list was right for good, in ms; `undefined`: not within `waitedMs`. */
  readonly rightAfterMs: number | undefined;
  readonly waitedMs: number;
  /** Made during the fault. */
  readonly requests: number;
  /** What it said of the fault, each once, the last first. */
  readonly statuses: readonly string[];
  readonly events: readonly string[];
  readonly isAlive: boolean;
  /** What it had open after it was closed. */
  readonly left: { readonly sockets: number; readonly timers: number };
  /** True when a secret is in something that it put out. */
  readonly leaksSecret: boolean;
}
