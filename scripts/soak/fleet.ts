import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { tcpProxy, type TcpProxy } from 'fairlead/testing';
import { beforeDeath } from '../before-death.js';
import { freePort } from '../consul/free-port.js';

/** A server process, and the proxy that its clients reach it by. */
export interface Member {
  readonly id: string;
  readonly proxy: TcpProxy;
  /** What it was asked, a line `METHOD ID` each, over all its lives. */
  readonly logFile: string;
  start(): Promise<void>;
  /** Dies at once, without a word to anybody. */
  kill(): Promise<void>;
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
}

export interface Fleet {
  readonly members: readonly Member[];
  /** Ends every process and closes every proxy. */
  close(): Promise<void>;
}

/** Starts so many servers, each behind a proxy of its own; they log to `folder`. */
export async function startFleet(size: number, folder: string): Promise<Fleet> {
  const children = new Set<ChildProcess>();
  const killAll = (): void => {
    for (const child of children) child.kill('SIGKILL'); // one that is stopped, too
  };
  const unhook = beforeDeath(killAll);
  const members = await Promise.all(
    Array.from({ length: size }, (_, i) => newMember(`server-${String(i + 1)}`, folder, children)),
  );
  await Promise.all(members.map((member) => member.start()));
  return {
    members,
    async close() {
      await Promise.all(members.map(({ proxy }) => proxy.close()));
      await Promise.all(members.map((member) => member.kill()));
      unhook();
    },
  };
}

async function newMember(id: string, folder: string, children: Set<ChildProcess>): Promise<Member> {
  const port = await freePort();
  const logFile = join(folder, `${id}.log`);
  let child: ChildProcess | undefined;
  return {
    id,
    logFile,
    proxy: await tcpProxy({ port }),
    async start() {
      const started = fork(new URL('server.mjs', import.meta.url), [String(port), logFile], {
        execArgv: [],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      child = started;
      children.add(started);
      started.once('exit', () => children.delete(started));
      await Promise.race([
        once(started, 'message'),
        once(started, 'exit').then(() => {
          throw new Error(`${id} ended before it was ready.`);
        }),
      ]);
    },
    async kill() {
      if (child === undefined || !children.has(child)) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
    signal(name) {
      child?.kill(name);
    },
  };
}
