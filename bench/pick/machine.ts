import { createRequire } from 'node:module';
import { cpus } from 'node:os';

/** Where and with what it was measured; nothing that names the machine. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly versions: Readonly<Record<string, string>>;
}

const PACKAGES = ['@grpc/grpc-js', 'load-balancers', 'loadbalance', 'moleculer', 'undici'];

export function describeMachine(): Machine {
  const { devDependencies } = createRequire(import.meta.url)('../../package.json') as {
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    versions: Object.fromEntries(PACKAGES.map((name) => [name, devDependencies[name] ?? '?'])),
  };
}
