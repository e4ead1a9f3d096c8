/**
 * Runs `run`, which must be synchronous, while the time and the chance of the process throw; puts everything back.
 *
 * @returns the names of what it used nevertheless. What `run` throws for another reason is thrown.
 */
export function withoutAmbient(run: () => void): readonly string[] {
  const used = new Set<string>();
  const refuse = (name: string): never => {
    used.add(name);
    throw new Error(`${name} was called`);
  };
  const RealDate = Date;
  const GuardedDate = new Proxy(RealDate, {
    apply: () => refuse('Date'),
    construct: (target, args, newTarget) =>
      args.length === 0
        ? refuse('new Date')
        : (Reflect.construct(target, args, newTarget) as object),
  });
  const replacements: readonly (readonly [owner: object, key: string, value: unknown])[] = [
    [Math, 'random', () => refuse('Math.random')],
    [RealDate, 'now', () => refuse('Date.now')],
    // eslint-disable-next-line no-restricted-properties -- taken away from others, not used.
    [globalThis.performance, 'now', () => refuse('performance.now')],
    [process, 'hrtime', () => refuse('process.hrtime')],
    [globalThis, 'Date', GuardedDate],
  ];
  const before = replacements.map(
    ([owner, key]) => [owner, key, Object.getOwnPropertyDescriptor(owner, key)] as const,
  );
  try {
    for (const [owner, key, value] of replacements) {
      Object.defineProperty(owner, key, { value, configurable: true, writable: true });
    }
    run();
  } catch (error) {
    if (used.size === 0) throw error;
  } finally {
    for (const [owner, key, descriptor] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(owner, key);
      else Object.defineProperty(owner, key, descriptor);
    }
  }
  return [...used];
}
