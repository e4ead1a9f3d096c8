import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '../consul/free-port.js';

/** A server of the demo: what it is like, and how often it should be picked. */
export interface Role {
  readonly id: string;
  readonly weight: number;
  readonly delayMs: number;
  readonly failRatio: number;
}

export interface Actor extends Role {
  readonly port: number;
  start(): Promise<void>;
  /** Dies at once, without a word to anybody. */
  kill(): void;
}

/** Where the servers register themselves, if anywhere. */
export interface Registry {
  readonly url: string;
  readonly service: string;
}

/** Starts one server process per role, on free loopback ports. */
export async function startCast(
  roles: readonly Role[],
  registry: Registry | undefined,
): Promise<readonly Actor[]> {
  const actors: Actor[] = [];
  for (const role of roles) actors.push(makeActor(role, await freePort(), registry));
  await Promise.all(actors.map((actor) => actor.start()));
  return actors;
}

function makeActor(role: Role, port: number, registry: Registry | undefined): Actor {
  let child: ChildProcess | undefined;
  return {
    ...role,
    port,
    async start() {
      const behaviour = [port, role.delayMs, role.failRatio];
      const registration =
        registry === undefined ? [] : [registry.url, registry.service, role.weight];
      child = fork(
        new URL('server.mjs', import.meta.url),
        [...behaviour, ...registration, ...(registry === undefined ? [] : [role.id])].map(String),
        { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
      );
      const started = child;
      await Promise.race([
        once(started, 'message'),
        once(started, 'exit').then(() => {
          throw new Error(`Server ${role.id} ended before it was ready.`);
        }),
      ]);
    },
    kill() {
      child?.kill('SIGKILL');
    },
  };
}
