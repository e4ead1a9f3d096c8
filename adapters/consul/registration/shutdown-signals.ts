/** Signals of the system that stop registrations before they end the process. */

/** The part of `process` that is used. */
export interface SignalTarget {
  readonly pid: number;
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  removeListener(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  kill(pid: number, signal: NodeJS.Signals): unknown;
}

export interface ShutdownSignals {
  /**
   * Has `stop` called on the first of `signals`; when all that guard against it have stopped, the process gets the signal
   * again, this time unguarded. A second one meanwhile ends the process at once.
   *
   * @returns the function that takes the guard away.
   */
  guard(signals: readonly NodeJS.Signals[], stop: () => Promise<void>): () => void;
}

export function createShutdownSignals(target: SignalTarget): ShutdownSignals {
  const guards = new Set<{
    readonly signals: readonly NodeJS.Signals[];
    readonly stop: () => Promise<void>;
  }>();
  const listening = new Set<NodeJS.Signals>();
  let stopping = false;

  const guarding = (signal: NodeJS.Signals) =>
    [...guards].filter(({ signals }) => signals.includes(signal));
  const unlisten = (signal: NodeJS.Signals): void => {
    if (listening.delete(signal)) target.removeListener(signal, onSignal);
  };
  const unlistenUnguarded = (): void => {
    for (const signal of listening) if (guarding(signal).length === 0) unlisten(signal);
  };
  /** The process ends, unless the application listens for the signal itself. */
  const raise = (signal: NodeJS.Signals): void => {
    stopping = false;
    unlisten(signal);
    unlistenUnguarded();
    target.kill(target.pid, signal);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) {
      raise(signal);
      return;
    }
    stopping = true;
    void Promise.allSettled(guarding(signal).map(({ stop }) => stop())).then(() => {
      if (stopping) raise(signal);
    });
  };

  return {
    guard(signals, stop) {
      const entry = { signals, stop };
      guards.add(entry);
      for (const signal of signals) {
        if (listening.has(signal)) continue;
        listening.add(signal);
        target.on(signal, onSignal);
      }
      return () => {
        guards.delete(entry);
        unlistenUnguarded();
      };
    },
  };
}

/** One for the process: several registrations stop together, and the last of them lets it end. */
export const shutdownSignals = createShutdownSignals(process);
