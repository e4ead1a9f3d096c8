import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeDeath } from '../../scripts/before-death.js';
import { agentApi } from '../../scripts/consul/agent-api.js';
import { freePort } from '../../scripts/consul/free-port.js';
import { findConsul } from '../../scripts/ensure-consul.mjs';

const READY_WITHIN_MS = 20_000;

export interface PlainServer extends AsyncDisposable {
  readonly url: string;
}

/**
 * A Consul server as in production, alone in its cluster. A dev agent will not do for sizes: it indents its JSON, which
 * makes replies 2.2 times as long.
 */
export async function startPlainServer(): Promise<PlainServer> {
  const bin = await findConsul({ fetch: true });
  const folder = mkdtempSync(path.join(tmpdir(), 'fairlead-consul-'));
  const [http, server, serf] = [await freePort(), await freePort(), await freePort()];
  const child = spawn(
    bin,
    [
      'agent',
      '-server',
      '-bootstrap',
      '-bind=127.0.0.1',
      '-client=127.0.0.1',
      '-node=fairlead-bench',
      '-disable-host-node-id',
      `-data-dir=${folder}`,
      '-hcl=disable_update_check = true',
      '-hcl=performance { raft_multiplier = 1 }',
      '-log-level=warn',
      `-http-port=${http}`,
      `-server-port=${server}`,
      `-serf-lan-port=${serf}`,
      ...['dns', 'grpc', 'serf-wan'].map((name) => `-${name}-port=-1`),
    ],
    { stdio: 'ignore', cwd: folder },
  );
  const cleanUp = (): void => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  const unhook = beforeDeath(cleanUp);
  const stop = async (): Promise<void> => {
    await ended(child);
    unhook();
    cleanUp();
  };
  const url = `http://127.0.0.1:${http}`;
  const api = agentApi(url);
  const endMs = performance.now() + READY_WITHIN_MS;
  while (!(await api.isReady())) {
    if (performance.now() > endMs || child.exitCode !== null) {
      await stop();
      throw new Error('The Consul server did not become ready.');
    }
    await sleep(20);
  }
  return { url, [Symbol.asyncDispose]: stop };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGKILL');
  });
}
