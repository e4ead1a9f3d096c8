import { freePort } from '../../scripts/consul/free-port.js';
import { type ServerProcess, ServerProcesses } from '../../scripts/server-processes.js';
import { Buckets } from './buckets.js';

export type Protocol = 'http' | 'grpc';
export type Behaviour = 'sound' | 'slow' | 'failing';

/** A backend process. */
export interface Backend extends Pick<ServerProcess, 'start' | 'kill' | 'signal'> {
  readonly port: number;
  /** Requests that have come to it, by when their calls were due. */
  readonly arrivals: Buckets;
  behave(how: Behaviour): void;
}

export interface Fleet {
  readonly backends: readonly Backend[];
  /** Ends every process. */
  close(): Promise<void>;
}

/** Starts so many backends. @param workMs that each request takes. */
export async function startFleet(size: number, protocol: Protocol, workMs: number): Promise<Fleet> {
  const processes = new ServerProcesses();
  const ports = await Promise.all(Array.from({ length: size }, freePort));
  const backends = ports.map((port): Backend => {
    const arrivals = new Buckets();
    const process = processes.add({
      name: `backend ${port}`,
      file: new URL('backend.mjs', import.meta.url),
      args: () => [String(port), protocol, String(workMs)],
      onMessage: (message) => {
        for (const [bucket, count] of (message as Told).arrivals) arrivals.add(bucket, count);
      },
    });
    return { port, arrivals, ...process, behave: (behaviour) => process.send({ behaviour }) };
  });
  await Promise.all(backends.map((backend) => backend.start()));
  return { backends, close: () => processes.close() };
}

interface Told {
  readonly arrivals: readonly (readonly [bucket: number, count: number])[];
}
