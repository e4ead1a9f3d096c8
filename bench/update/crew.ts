import { type ChildProcess, fork } from 'node:child_process';
import type { Answer, Order } from './worker.js';

/** One process per subject, as in `bench/pick/crew.ts`; each works only when told to. */
export class Worker {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(...args: readonly string[]): Promise<Worker> {
    const child = fork(new URL('./worker.ts', import.meta.url), args, {
      execArgv: [...process.execArgv, '--expose-gc'],
    });
    const worker = new Worker(child);
    await worker.#answer();
    return worker;
  }

  async do<Value>(order: Order): Promise<Value> {
    const answer = this.#answer();
    this.#child.send(order);
    return (await answer) as Value;
  }

  dismiss(): void {
    this.#child.kill();
  }

  #answer(): Promise<unknown> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const onExit = (): void => {
        reject(new Error(`${child.spawnargs.slice(-3).join(' ')}: exited`));
      };
      child.once('exit', onExit);
      child.once('message', (answer: Answer) => {
        child.off('exit', onExit);
        if ('error' in answer) reject(new Error(answer.error));
        else resolve(answer.value);
      });
    });
  }
}
