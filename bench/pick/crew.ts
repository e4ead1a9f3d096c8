import { type ChildProcess, fork } from 'node:child_process';
import type { Answer, Order } from './worker.js';

/**
 * One process per subject, so that each runs in code that V8 has specialised for it alone, as in an application with
 * one policy: measured in one process, whatever comes later pays for what came before. They work one at a time.
 */
export class Worker {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @param file what it runs; it answers orders as worker.ts does. */
  static async start(
    library: string,
    name: string,
    flags: readonly string[],
    file = new URL('./worker.ts', import.meta.url),
  ): Promise<Worker> {
    const child = fork(file, [library, name], { execArgv: [...process.execArgv, ...flags] });
    const worker = new Worker(child);
    await worker.#answer();
    return worker;
  }

  async do<Value = number>(kind: Order['kind'], n: number, forMs: number): Promise<Value> {
    const answer = this.#answer();
    this.#child.send({ kind, n, forMs } satisfies Order);
    return answer as Promise<Value>;
  }

  dismiss(): void {
    this.#child.kill();
  }

  #answer(): Promise<unknown> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const onMessage = (answer: Answer): void => {
        child.off('exit', onExit);
        if ('value' in answer) resolve(answer.value);
        else reject(new Error(`${child.spawnargs.slice(-2).join(' ')}: ${answer.error}`));
      };
      const onExit = (): void => {
        child.off('message', onMessage);
        reject(new Error(`${child.spawnargs.slice(-2).join(' ')}: exited`));
      };
      child.once('message', onMessage);
      child.once('exit', onExit);
    });
  }
}
