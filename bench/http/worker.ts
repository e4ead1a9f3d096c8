/** One subject in a process of its own. argv: its name, requests in flight, ports. Runs when told to, for as long as it is told. */
import type { Round } from './rounds.js';
import { SUBJECTS } from './subjects.js';

const [name = '', inFlight, ...ports] = process.argv.slice(2);
const send = await SUBJECTS[name]?.(ports.map(Number));
if (send === undefined) throw new Error(`no such subject: ${name}`);
const sendOne = send;

let endMs = 0;
let requests = 0;

async function loop(): Promise<void> {
  while (performance.now() < endMs) {
    await sendOne();
    requests++;
  }
}

async function run(forMs: number): Promise<Round> {
  requests = 0;
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  endMs = startMs + forMs;
  const loops: Promise<void>[] = [];
  for (let i = 0; i < Number(inFlight); i++) loops.push(loop());
  await Promise.all(loops);
  const { user, system } = process.cpuUsage(cpu);
  return { requests, ms: performance.now() - startMs, cpuMs: (user + system) / 1_000 };
}

process.on('message', (forMs: number) => {
  void run(forMs).then((round) => process.send?.(round));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
