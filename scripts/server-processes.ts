import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { beforeDeath } from './before-death.js';

/** A server in a process of its own, that can be killed, stopped and started again. */
export interface ServerProcess {
  /** Resolves once it says that it is ready, by its first message. */
  start(): Promise<void>;
  /** `kill -9`: it dies at once, without a word to anybody. Resolves when it is dead; at once if it was. */
  kill(): Promise<void>;
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  /** Tells it something, if it lives. */
  send(message: object): void;
}

export interface ServerProgram {
  /** Named in errors. */
  readonly name: string;
  readonly file: URL;
  /** argv of each life, from 1. */
  readonly args: (life: number) => readonly string[];
  /** Told what it says once it is ready. */
  readonly onMessage?: ((message: unknown) => void) | undefined;
}

/** Server processes that end together, and outlive this process in no case. */
export class ServerProcesses {
  readonly #children = new Set<ChildProcess>();
  readonly #unhook = beforeDeath(() => this.#killAll());

  add({ name, file, args, onMessage }: ServerProgram): ServerProcess {
    const children = this.#children;
    let child: ChildProcess | undefined;
    let life = 0;
    return {
      async start() {
        const started = fork(file, args(++life), {
          execArgv: [],
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        });
        child = started;
        children.add(started);
        started.once('exit', () => children.delete(started));
        await Promise.race([
          once(started, 'message'),
          once(started, 'exit').then(() => {
            throw new Error(`${name} ended before it was ready.`);
          }),
        ]);
        if (onMessage !== undefined) started.on('message', onMessage);
      },
      async kill() {
        if (child === undefined || !children.has(child)) return;
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      },
      signal(signal) {
        child?.kill(signal);
      },
      send(message) {
        if (child?.connected === true) child.send(message);
      },
    };
  }

  /** Kills all of them. */
  async close(): Promise<void> {
    const ended = [...this.#children].map((child) => once(child, 'exit'));
    this.#killAll();
    await Promise.all(ended);
    this.#unhook();
  }

  #killAll(): void {
    for (const child of this.#children) child.kill('SIGKILL'); // one that is stopped, too
  }
}
