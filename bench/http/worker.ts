/**
 * One subject in a process of its own. argv: its group, its name, requests in flight, ports. Runs when told to, for as long
 * as it is told.
 */
import { cpuTimeMs } from '../proxies/cpu-time.js';
import { GROUPS, isGroup } from './groups.js';
import type { Round } from './rounds.js';

const [group = '', name = '', inFlight, ...ports] = process.argv.slice(2);
const subject = isGroup(group) ? (await GROUPS[group].load())[name] : undefined;
const started = await subject?.(ports.map(Number));
if (started === undefined) throw new Error(`no such subject: ${name}`);
const { send, proxy } =
  typeof started === 'function' ? { send: started, proxy: undefined } : started;

let endMs = 0;
let requests = 0;

async function loop(): Promise<void> {
  while (performance.now() < endMs) {
    await send();
    requests++;
  }
}

async function run(forMs: number): Promise<Round> {
  requests = 0;
  const proxyCpu = await proxyCpuMs();
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  endMs = startMs + forMs;
  const loops: Promise<void>[] = [];
  for (let i = 0; i < Number(inFlight); i++) loops.push(loop());
  await Promise.all(loops);
  const { user, system } = process.cpuUsage(cpu);
  const ms = performance.now() - startMs;
  const round: Round = { requests, ms, cpuMs: (user + system) / 1_000 };
  if (proxyCpu === undefined) return round;
  return { ...round, proxyCpuMs: ((await proxyCpuMs()) ?? NaN) - proxyCpu };
}

async function proxyCpuMs(): Promise<number | undefined> {
  return proxy === undefined ? undefined : cpuTimeMs(proxy.pid);
}

process.on('message', (forMs: number) => {
  void run(forMs).then((round) => process.send?.(round));
});
process.on('disconnect', () => process.exit()); // which ends the proxy
process.send?.('ready');
