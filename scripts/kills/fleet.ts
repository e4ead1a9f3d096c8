import { freePort } from '../consul/free-port.js';
import { type ServerProcess, ServerProcesses } from '../server-processes.js';

/** A server that is killed and started again, on the same port each time. */
export interface Member extends Pick<ServerProcess, 'start' | 'kill'> {
  readonly name: string;
  readonly port: number;
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
export async function startFleet(
  size: number,
  { logFile, slots, workMs, forget }: ServerOptions,
): Promise<Fleet> {
  const processes = new ServerProcesses();
  const ports = await Promise.all(Array.from({ length: size }, freePort));
  const members = ports.map((port, i): Member => {
    const name = `server-${String(i + 1)}`;
    const process = processes.add({
      name,
      file: new URL('server.mjs', import.meta.url),
      args: (life) => {
        const given = [port, logFile, `${name}.${String(life)}`, slots, workMs];
        return [...given.map(String), ...(forget ? ['forget'] : [])];
      },
    });
    return { name, port, ...process };
  });
  await Promise.all(members.map((member) => member.start()));
  return { members, close: () => processes.close() };
}
