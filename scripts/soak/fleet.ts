import { join } from 'node:path';
import { tcpProxy, type TcpProxy } from 'fairlead/testing';
import { freePort } from '../consul/free-port.js';
import { type ServerProcess, ServerProcesses } from '../server-processes.js';

/** A server process, and the proxy that its clients reach it by. */
export interface Member extends Pick<ServerProcess, 'start' | 'kill' | 'signal'> {
  readonly id: string;
  readonly proxy: TcpProxy;
  /** What it was asked, a line `METHOD ID` each, over all its lives. */
  readonly logFile: string;
}

export interface Fleet {
  readonly members: readonly Member[];
  /** Ends every process and closes every proxy. */
  close(): Promise<void>;
}

/** Starts so many servers, each behind a proxy of its own; they log to `folder`. */
export async function startFleet(size: number, folder: string): Promise<Fleet> {
  const processes = new ServerProcesses();
  const members = await Promise.all(
    Array.from({ length: size }, (_, i) => newMember(`server-${String(i + 1)}`, folder, processes)),
  );
  await Promise.all(members.map((member) => member.start()));
  return {
    members,
    async close() {
      await Promise.all(members.map(({ proxy }) => proxy.close()));
      await processes.close();
    },
  };
}

async function newMember(id: string, folder: string, processes: ServerProcesses): Promise<Member> {
  const port = await freePort();
  const logFile = join(folder, `${id}.log`);
  const process = processes.add({
    name: id,
    file: new URL('server.mjs', import.meta.url),
    args: () => [String(port), logFile],
  });
  return { id, logFile, proxy: await tcpProxy({ port }), ...process };
}
