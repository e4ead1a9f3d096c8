import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { beforeDeath } from '../before-death.js';
import { freePort } from '../consul/free-port.js';

/** A server that is killed and started again, on the same port each time. */
export interface Member {
  readonly name: string;
  readonly port: number;
  start(): Promise<void>;
  /** `kill -9`. */
  kill(): Promise<void>;
}

export interface ServerOptions {
  /** All servers append to it, in all their lives: a line `METHOD ID SERVER.LIFE` for each request as the work on it begins. */
  readonly logFile: string;
  /** Requests that a server works on at once. Any more wait in it. */
  readonly slots: number;
  /** How long the work on one takes, in ms. */
  readonly workMs: number;
  /** They leave out every 50th line. */
  readonly forget: boolean;
}

export interface Fleet {
  readonly members: readonly Member[];
  /** Ends every process. */
  close(): Promise<void>;
}

/** Starts so many servers. */
export async function startFleet(size: number, options: ServerOptions): Promise<Fleet> {
  const children = new Set<ChildProcess>();
  const unhook = beforeDeath(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  const ports = await Promise.all(Array.from({ length: size }, freePort));
  const members = ports.map((port, i) =>
    newMember(`server-${String(i + 1)}`, port, options, children),
  );
  await Promise.all(members.map((member) => member.start()));
  return {
    members,
    async close() {
      await Promise.all(members.map((member) => member.kill()));
      unhook();
    },
  };
}

function newMember(
  name: string,
  port: number,
  { logFile, slots, workMs, forget }: ServerOptions,
  children: Set<ChildProcess>,
): Member {
  let child: ChildProcess | undefined;
  let life = 0;
  return {
    name,
    port,
    async start() {
      life++;
      const given = [port, logFile, `${name}.${String(life)}`, slots, workMs];
      const args = [...given.map(String), ...(forget ? ['forget'] : [])];
      const started = fork(new URL('server.mjs', import.meta.url), args, {
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
    },
    async kill() {
      if (child === undefined || !children.has(child)) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}
