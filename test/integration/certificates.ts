/** Certificates for tests, made by Consul itself: nothing else has to be installed. */
import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findConsul } from '../../scripts/ensure-consul.mjs';

export interface PemFiles {
  /** Paths, for agents and for options that take files. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** An authority of its own, in a folder of its own. */
export interface Authority {
  readonly folder: string;
  readonly caFile: string;
  readonly ca: string;
  /** For `server.dc1.consul`, `localhost` and 127.0.0.1. */
  readonly server: PemFiles;
  /** For `cli.dc1.consul` and `localhost`, and no address. */
  readonly named: PemFiles;
  /** For a client. */
  readonly client: PemFiles;
  remove(): void;
}

export async function createAuthority(): Promise<Authority> {
  const bin = await findConsul({ fetch: true });
  const folder = mkdtempSync(path.join(tmpdir(), 'fairlead-authority-'));
  const tls = (...args: string[]): void => {
    execFileSync(bin, ['tls', ...args], { cwd: folder, stdio: 'pipe' });
  };
  const make = (kind: 'server' | 'cli' | 'client'): PemFiles => {
    tls('cert', 'create', `-${kind}`);
    const certFile = path.join(folder, `dc1-${kind}-consul-0.pem`);
    const keyFile = path.join(folder, `dc1-${kind}-consul-0-key.pem`);
    return {
      certFile,
      keyFile,
      cert: readFileSync(certFile, 'utf8'),
      key: readFileSync(keyFile, 'utf8'),
    };
  };
  tls('ca', 'create');
  const caFile = path.join(folder, 'consul-agent-ca.pem');
  return {
    folder,
    caFile,
    ca: readFileSync(caFile, 'utf8'),
    server: make('server'),
    named: make('cli'),
    client: make('client'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The key under a passphrase. */
export function encrypted(key: string, passphrase: string): string {
  return createPrivateKey(key)
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase })
    .toString();
}
