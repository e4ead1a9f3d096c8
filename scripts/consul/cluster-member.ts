import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { agentApi, type AgentApi } from './agent-api.js';
import { askAgent } from './cluster-request.js';

/** One agent of a cluster. It has a data folder, so it is the same one after a restart: its services, its part of the log. */
export interface ClusterMember extends AgentApi {
  /** Its node. */
  readonly name: string;
  readonly isServer: boolean;
  /** `http://127.0.0.1:<port>`; stays the same over a restart. */
  readonly url: string;
  /** What `/v1/status/leader` calls it, when it leads. */
  readonly serverAddress: string;
  readonly pid: number | undefined;
  readonly isRunning: boolean;
  /** Sends a signal; for the deadly ones (default `SIGKILL`) waits until the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again after its end, and waits until its HTTP API answers: it may have no leader yet. */
  restart(): Promise<void>;
}

export interface MemberSettings {
  readonly bin: string;
  readonly name: string;
  readonly isServer: boolean;
  /** Where its configuration and its data are kept. */
  readonly folder: string;
  readonly ports: MemberPorts;
  /** The rest of its configuration. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Sent with what the functions of {@link AgentApi} ask. */
  readonly token: string | undefined;
}

export interface MemberPorts {
  readonly http: number;
  readonly server: number;
  readonly serfLan: number;
}

const ANSWERS_WITHIN_MS = 15_000;
const DEADLY: readonly NodeJS.Signals[] = ['SIGKILL', 'SIGTERM', 'SIGINT'];

/** Lays out a member; `restart` starts it. */
export function createMember(settings: MemberSettings): ClusterMember {
  const { bin, name, isServer, folder, ports, config, token } = settings;
  const url = `http://127.0.0.1:${ports.http}`;
  const configFile = path.join(folder, `${name}.json`);
  const dataFolder = path.join(folder, name);
  mkdirSync(dataFolder, { recursive: true });
  writeFileSync(
    configFile,
    JSON.stringify({
      ...config,
      node_name: name,
      server: isServer,
      data_dir: dataFolder,
      bind_addr: '127.0.0.1',
      client_addr: '127.0.0.1',
      disable_update_check: true,
      log_level: 'warn',
    }),
  );
  let running: ChildProcess | undefined;
  let lastWords = '';

  const isRunning = (): boolean =>
    running?.pid !== undefined && running.exitCode === null && running.signalCode === null;

  const restart = async (): Promise<void> => {
    if (isRunning()) throw new Error(`${name} is running`);
    const child = spawn(bin, ['agent', `-config-file=${configFile}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: folder,
      env: environment(),
    });
    running = child;
    const gather = (chunk: Buffer): void => {
      lastWords = (lastWords + chunk.toString()).slice(-2_000);
    };
    child.stdout.on('data', gather);
    child.stderr.on('data', gather);
    child.once('error', (error) => {
      lastWords += error.message;
    });
    const endMs = performance.now() + ANSWERS_WITHIN_MS;
    while (isRunning() && performance.now() < endMs) {
      if (await answers(url, token)) return;
      await sleep(20);
    }
    throw new Error(`The Consul agent ${name} did not start. Its last words:\n${lastWords}`);
  };

  return {
    ...agentApi(url, token),
    name,
    isServer,
    url,
    serverAddress: `127.0.0.1:${ports.server}`,
    get pid() {
      return running?.pid;
    },
    get isRunning() {
      return isRunning();
    },
    async kill(signal = 'SIGKILL') {
      if (running === undefined || !isRunning()) return;
      const child = running;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill(signal);
      if (DEADLY.includes(signal)) await gone;
    },
    restart,
  };
}

async function answers(url: string, token: string | undefined): Promise<boolean> {
  try {
    return (await askAgent(url, '/v1/agent/self', { token, timeoutMs: 1_000 })).status === 200;
  } catch {
    return false;
  }
}

/** Without the CONSUL_ variables of the shell: they would point the agent's options elsewhere. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('CONSUL_')),
  );
}
