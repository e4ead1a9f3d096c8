/**
 * Runs `fn` when this process exits or is asked to end: child processes must not outlive it, and a test runner may end it
 * without a word.
 *
 * @returns how to take it back.
 */
export function beforeDeath(fn: () => void): () => void {
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const unhook = (): void => {
    process.off('exit', fn);
    for (const signal of signals) process.off(signal, onSignal);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    unhook();
    fn();
    // Our listener kept the signal from doing its work; whoever else listens decides for themselves.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  process.once('exit', fn);
  for (const signal of signals) process.once(signal, onSignal);
  return unhook;
}
