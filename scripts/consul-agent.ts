/** A real Consul dev agent on loopback, for the integration tests and the demo. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeDeath } from './before-death.js';
import { agentApi, type AgentApi } from './consul/agent-api.js';
import { freePort } from './consul/free-port.js';
import { consulVersion, findConsul } from './ensure-consul.mjs';

export type { ServiceRegistration } from './consul/agent-api.js';

export interface ConsulAgent extends AgentApi, AsyncDisposable {
  /** `http://127.0.0.1:<port>`; stays the same over a restart. */
  readonly url: string;
  readonly pid: number | undefined;
  /** Sends a signal; for the deadly ones (default `SIGKILL`) waits until the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts a fresh agent on the same port: no services, and an index that begins anew. */
  restart(): Promise<void>;
  /** Ends the agent for good and removes its folder. */
  stop(): Promise<void>;
}

const STARTS = 5;
const READY_WITHIN_MS = 15_000;

export interface ConsulAgentOptions {
  /** Path of the binary. Default: what `findConsul` finds or fetches. */
  readonly bin?: string;
  /** Configuration beside the usual, as the agent reads it from a file: ACLs, TLS, datacenter, ports. */
  readonly config?: Readonly<Record<string, unknown>> & {
    readonly ports?: Readonly<Record<string, number>>;
  };
  /** Sent with all that the returned functions ask: the management token where ACLs are on. */
  readonly token?: string;
}

/** Starts a dev agent and waits until it has a leader and answers reads. */
export async function startConsulAgent(options: ConsulAgentOptions = {}): Promise<ConsulAgent> {
  const bin = options.bin ?? (await findConsul({ fetch: true }));
  const version = await consulVersion(bin);
  const folder = mkdtempSync(path.join(tmpdir(), 'fairlead-consul-'));
  if (options.config !== undefined) {
    writeFileSync(path.join(folder, 'extra.json'), JSON.stringify(options.config));
  }
  const configured = Object.keys(options.config?.ports ?? {}).map((name) => name.replace('_', '-'));
  let port = 0;
  let running: ChildProcess | undefined;

  // A test runner may end this process without a word; the agent must not outlive it.
  const cleanUp = (): void => {
    running?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  const unhook = beforeDeath(cleanUp);

  const start = async (wantedPort?: number): Promise<void> => {
    let failure: unknown;
    for (let attempt = 0; attempt < STARTS; attempt++) {
      port = wantedPort ?? (await freePort());
      const child = spawn(bin, await agentArguments(port, folder, version, configured), {
        stdio: ['ignore', 'pipe', 'pipe'],
        cwd: folder,
        env: environment(),
      });
      running = child;
      try {
        await ready(child, agentApi(`http://127.0.0.1:${String(port)}`, options.token));
        return;
      } catch (error) {
        // Most likely another process took one of the ports between the look and the start.
        failure = error;
        await end(child, 'SIGKILL');
      }
    }
    throw failure;
  };

  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    if (running === undefined) return;
    if (signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT') {
      await end(running, signal);
    } else {
      running.kill(signal);
    }
  };
  const stop = async (): Promise<void> => {
    await kill();
    unhook();
    cleanUp();
  };

  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  const url = `http://127.0.0.1:${String(port)}`;
  return {
    ...agentApi(url, options.token),
    url,
    get pid() {
      return running?.pid;
    },
    kill,
    async restart() {
      await kill();
      await start(port);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** @param configured ports that a configuration file names. */
async function agentArguments(
  port: number,
  folder: string,
  version: string,
  configured: readonly string[],
): Promise<string[]> {
  const ports = { http: port, server: await freePort(), 'serf-lan': await freePort() };
  const off = ['dns', 'grpc', 'serf-wan'];
  // Since 1.14 a dev agent opens a second gRPC port; older ones do not know the flag.
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 1 || minor >= 14) off.push('grpc-tls');
  return [
    'agent',
    '-dev',
    '-bind=127.0.0.1',
    '-client=127.0.0.1',
    '-node=fairlead-test',
    '-disable-host-node-id',
    `-config-dir=${folder}`,
    '-hcl=disable_update_check = true',
    '-log-level=warn',
    ...Object.entries(ports).map(([name, value]) => `-${name}-port=${String(value)}`),
    ...off.filter((name) => !configured.includes(name)).map((name) => `-${name}-port=-1`),
  ];
}

/** Without the CONSUL_ variables of the shell: they would point the agent's options elsewhere. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('CONSUL_')),
  );
}

async function ready(child: ChildProcess, api: AgentApi): Promise<void> {
  let output = '';
  const gather = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-2_000);
  };
  child.stdout?.on('data', gather);
  child.stderr?.on('data', gather);
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  const endMs = Date.now() + READY_WITHIN_MS;
  while (Date.now() < endMs) {
    if (failure !== undefined) throw failure;
    if (child.exitCode !== null || child.signalCode !== null) break;
    if (await api.isReady()) return;
    await sleep(20);
  }
  throw new Error(`The Consul agent did not become ready. Its last words:\n${output}`);
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill(signal);
  });
}
