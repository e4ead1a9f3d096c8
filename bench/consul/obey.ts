import type { Orders } from './child.js';

/** What the parent says before it lets go of a process that is to end by itself. */
export const RELEASE = 'release';

/** Does what the parent tells; dies with it. The other end of `startChild`. */
export function obey(orders: Orders): void {
  const die = (): void => {
    process.exit(1);
  };
  process.once('disconnect', die);
  const all: Orders = {
    ...orders,
    [RELEASE]: () => {
      process.off('disconnect', die);
    },
  };
  const run = async (name: string, argument: unknown): Promise<unknown> => {
    const order = all[name] as ((argument: unknown) => unknown) | undefined;
    if (order === undefined) throw new Error('no such order');
    return await order(argument);
  };
  process.on(
    'message',
    ({ id, name, argument }: { id: number; name: string; argument: unknown }) => {
      run(name, argument).then(
        (value) => process.send?.({ id, value }),
        (error: unknown) =>
          process.send?.({ id, error: error instanceof Error ? error.stack : String(error) }),
      );
    },
  );
  process.send?.({ id: -1 });
}
