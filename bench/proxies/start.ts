import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeDeath } from '../../scripts/before-death.js';
import { freePort } from '../../scripts/consul/free-port.js';
import { executableOnPath } from '../../scripts/find-program.mjs';
import { findProgram, type ProgramName } from './program.js';
import { fillTemplate } from './template.js';
import type { Proxy, ProxyPlan } from './types.js';

export interface ProxyKind extends ProgramName {
  /** Of the configuration files: `<name>-<profile>.<extension>`. */
  readonly extension: string;
  /** How it runs in the foreground with a configuration file. @param folder of its own, for all that it writes. */
  arguments(file: string, folder: string): readonly string[];
}

const STARTS = 5;
const READY_WITHIN_MS = 5_000;
const SILENT_MS = 250;

/** Starts a proxy over these backends, and waits until it accepts connections. */
export async function startProxy(kind: ProxyKind, plan: ProxyPlan): Promise<Proxy> {
  const program = await findProgram(kind);
  const folder = mkdtempSync(path.join(tmpdir(), `fairlead-${kind.name}-`));
  let running: ChildProcess | undefined;
  const cleanUp = (): void => {
    running?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  const unhook = beforeDeath(cleanUp);
  const stop = async (): Promise<void> => {
    if (running !== undefined) await end(running);
    unhook();
    cleanUp();
  };

  const file = path.join(folder, `${kind.name}.${kind.extension}`);
  const template = await readFile(templateOf(kind, plan), 'utf8');
  const launcher = await dyingWithParent();
  try {
    let failure: unknown;
    for (let start = 0; start < STARTS; start++) {
      const listen = await freePort();
      const { ports, silentMs = SILENT_MS, checkPath = '/' } = plan;
      const values = { listen, silentMs, checkPath };
      await writeFile(file, fillTemplate(template, { backends: ports, values }));
      const [command = '', ...args] = [
        ...launcher,
        program.binary,
        ...kind.arguments(file, folder),
      ];
      running = spawn(command, args, {
        cwd: folder,
        env: program.env,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      try {
        const pid = await ready(running, listen);
        return { url: `http://127.0.0.1:${String(listen)}`, version: program.version, pid, stop };
      } catch (error) {
        failure = error; // another process may have taken the port
        await end(running);
      }
    }
    throw failure;
  } catch (error) {
    await stop();
    throw error;
  }
}

function templateOf({ name, extension }: ProxyKind, { profile }: ProxyPlan): URL {
  return new URL(`${name}-${profile}.${extension}`, import.meta.url);
}

/** Ends the proxy even where this process is killed and can do nothing more. Linux has it; elsewhere it is done without. */
async function dyingWithParent(): Promise<readonly string[]> {
  const setpriv = await executableOnPath('setpriv').catch(() => undefined);
  return setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL', '--'];
}

/** Waits until something listens. @returns the process id. */
async function ready(child: ChildProcess, port: number): Promise<number> {
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-2_000);
  });
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  const endMs = performance.now() + READY_WITHIN_MS;
  while (performance.now() < endMs) {
    if (failure !== undefined) throw failure;
    if (child.exitCode !== null || child.signalCode !== null) break;
    if (child.pid !== undefined && (await accepts(port))) return child.pid;
    await sleep(20);
  }
  throw new Error(`The proxy did not become ready. Its last words:\n${output}`);
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
