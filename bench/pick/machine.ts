import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Where and with what it was measured; nothing that names the machine. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly versions: Readonly<Record<string, string>>;
}

const PACKAGES = ['@grpc/grpc-js', 'load-balancers', 'loadbalance', 'moleculer', 'undici'];

/** @param packages whose versions are of interest. */
export function describeMachine(packages: readonly string[] = PACKAGES): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    versions: Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
  };
}

/** By path: not every package exports its package.json. */
function versionOf(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}
