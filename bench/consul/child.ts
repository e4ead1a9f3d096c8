/** Processes of the bench that do as they are told over IPC: what one measures, no other's work is in. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { RELEASE } from './obey.js';

/** What a process can be told: names, each with what it takes and gives, as plain JSON. */
export type Orders = Readonly<Record<string, (argument: never) => unknown>>;

export interface Child<Api extends Orders> extends AsyncDisposable {
  /** Tells it to do something; resolves with what came of it. */
  tell<Name extends keyof Api & string>(
    name: Name,
    ...argument: Parameters<Api[Name]>
  ): Promise<Awaited<ReturnType<Api[Name]>>>;
  /** Lets go of it: with nothing left to do it ends. @returns whether it did so within `ms`. */
  endsWithin(ms: number): Promise<boolean>;
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** @param file beside this one. */
export async function startChild<Api extends Orders>(
  file: string,
  nodeOptions: readonly string[] = [],
): Promise<Child<Api>> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [], {
    execArgv: ['--import', 'tsx', ...nodeOptions],
  });
  const waiting = new Map<number, (answer: Answer) => void>();
  let told = 0;
  child.on('message', (answer: Answer) => waiting.get(answer.id)?.(answer));
  child.once('exit', (code, signal) => {
    const error = `${file} ended: ${signal ?? String(code)}`;
    for (const [id, settle] of waiting) settle({ id, error });
  });
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;

  const tell = (name: string, argument?: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = told++;
      if (isOver()) reject(new Error(`${file} has ended`));
      waiting.set(id, ({ value, error }) => {
        waiting.delete(id);
        if (error === undefined) resolve(value);
        else reject(new Error(`${file}: ${name}: ${error}`));
      });
      child.send({ id, name, argument });
    });
  await once(child, 'message');
  return {
    tell: tell as Child<Api>['tell'],
    async endsWithin(ms) {
      await tell(RELEASE);
      const exited = once(child, 'exit', { signal: AbortSignal.timeout(ms) });
      child.disconnect();
      return exited.then(
        () => true,
        () => false,
      );
    },
    async [Symbol.asyncDispose]() {
      if (isOver()) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
