import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import axios from 'axios';
import { afterEach, describe, expect, it } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { wrapFetch } from '../../src/clients/fetch.js';
import { type Client, createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import { shareTolerance } from '../support/statistics.js';
import { closeAfterwards } from './servers.js';

const ATTEMPT_MS = 500;
const HOLD_MS = 1_000;
const RAMP_MS = 2_000;
/** A call begins every so often; each takes the servers 20 ms, so about five are in flight. */
const EVERY_MS = 4;
const BIN_MS = 200;
/**
 * What a takeover may take beyond an attempt's timeout: each breaker opens at its fifth failure, and the ten that the
 * two need come at the pace of the calls. The rest is for a busy machine; with it, a second timeout does not fit in.
 */
const DETECTION_MS = 10 * EVERY_MS + 400;

const ACTIVES = ['active 1', 'active 2'];
const PASSIVES = ['passive 1', 'passive 2'];

interface ServerProcess {
  readonly name: string;
  readonly port: number;
  readonly process: ChildProcess;
}

const running = new Set<ChildProcess>();

afterEach(async () => {
  await Promise.all([...running].map(kill));
});

async function start(name: string, port = 0): Promise<ServerProcess> {
  const script = fileURLToPath(new URL('active-passive-server.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, name, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const gone = once(child, 'exit').then(() => Promise.reject(new Error(`${name} did not start`)));
  const [line] = (await Promise.race([once(child.stdout, 'data'), gone])) as [Buffer];
  return { name, port: Number(line.toString()), process: child };
}

async function kill(child: ChildProcess): Promise<void> {
  running.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL'); // ends a stopped process too
  await exited;
}

/** How both actives go at once, and come back. */
interface Outage {
  begin(actives: readonly ServerProcess[]): void;
  end(actives: readonly ServerProcess[]): Promise<void>;
}

const OUTAGES: Readonly<Record<string, Outage>> = {
  'are killed': {
    begin: (actives) => actives.forEach(({ process }) => process.kill('SIGKILL')),
    end: async (actives) => {
      await Promise.all(actives.map(({ name, port }) => start(name, port)));
    },
  },
  hang: {
    begin: (actives) => actives.forEach(({ process }) => process.kill('SIGSTOP')),
    end: async (actives) => actives.forEach(({ process }) => process.kill('SIGCONT')),
  },
};

interface CallRecord {
  readonly startMs: number;
  readonly endMs: number;
  /** Who answered, or what went wrong. */
  readonly by: string;
}

interface AttemptAt {
  readonly name: string;
  readonly startMs: number;
  /** The one attempt that a half-open breaker lets through. */
  readonly probe: boolean;
}

/** Idempotent calls at a steady rate, through axios and fetch in turn, and what became of them. */
class Traffic {
  readonly calls: CallRecord[] = [];
  readonly attempts: AttemptAt[] = [];
  readonly closings: { readonly name: string; readonly atMs: number }[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #halfOpenings: { readonly name: string; readonly atMs: number }[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(client: Client, nameOf: (instanceId: string) => string) {
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
    const fetch = wrapFetch(client);
    const senders = [
      async () => (await http.get<string>('/')).data,
      async () => (await fetch('http://orders/')).text(),
    ];
    client.on('breaker.half-opened', ({ instanceId }) => {
      this.#halfOpenings.push({ name: nameOf(instanceId), atMs: performance.now() });
    });
    client.on('breaker.closed', ({ instanceId }) => {
      this.closings.push({ name: nameOf(instanceId), atMs: performance.now() });
    });
    client.on('attempt.ended', ({ instanceId, durationMs }) => {
      const name = nameOf(instanceId);
      const startMs = performance.now() - durationMs;
      // A breaker turns half-open as the probe begins: it is that attempt when no other fits as well.
      const at = this.#halfOpenings.findIndex(
        (opening) => opening.name === name && Math.abs(opening.atMs - startMs) < EVERY_MS,
      );
      if (at >= 0) this.#halfOpenings.splice(at, 1);
      this.attempts.push({ name, startMs, probe: at >= 0 });
    });
    let turn = 0;
    let dueMs = performance.now();
    // Catches up after a late tick, so that the rate holds.
    this.#timer = setInterval(() => {
      for (; dueMs <= performance.now(); dueMs += EVERY_MS) {
        const send = senders[turn++ % senders.length];
        if (send !== undefined) this.#send(send);
      }
    }, EVERY_MS);
  }

  #send(send: () => Promise<string>): void {
    const startMs = performance.now();
    const end = (by: string): void => {
      this.calls.push({ startMs, endMs: performance.now(), by });
    };
    const call = send().then(end, (error: unknown) => end(String(error)));
    this.#underWay.add(call);
    void call.then(() => this.#underWay.delete(call));
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
  }

  /** Calls that began then, by who answered. */
  servedBetween(fromMs: number, toMs: number): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { startMs, by } of this.calls) {
      if (startMs >= fromMs && startMs < toMs) counts[by] = (counts[by] ?? 0) + 1;
    }
    return counts;
  }

  /** Attempts sent to an active then that were no probes. */
  toActives(fromMs: number, toMs: number): readonly AttemptAt[] {
    return this.attempts.filter(
      ({ name, startMs, probe }) =>
        !probe && ACTIVES.includes(name) && startMs >= fromMs && startMs < toMs,
    );
  }
}

const sum = (counts: Readonly<Record<string, number>>, names: readonly string[]): number =>
  names.reduce((total, name) => total + (counts[name] ?? 0), 0);

describe.each(['strict', 'spill'] as const)('active-passive, mode %s', (mode) => {
  it.each(Object.keys(OUTAGES))('survives that both actives %s', async (kind) => {
    const outage = OUTAGES[kind];
    if (outage === undefined) throw new Error(kind);
    const actives = await Promise.all(ACTIVES.map((name) => start(name)));
    const passives = await Promise.all(PASSIVES.map((name) => start(name)));
    const names = new Map(
      [...actives, ...passives].map(({ port, name }) => [`127.0.0.1:${port}`, name]),
    );
    const specs = (servers: readonly ServerProcess[], priority: number) =>
      servers.map(({ port }) => ({ host: '127.0.0.1', port, priority }));
    const client = createClient({
      service: 'orders',
      discovery: memoryAdapter([...specs(actives, 0), ...specs(passives, 1)]),
      stages: { priority: { mode, holdDownMs: HOLD_MS, rampMs: RAMP_MS } },
      retry: { maxAttempts: 3 },
      breaker: { openMs: 300, maxOpenMs: 600 },
      attemptTimeoutMs: ATTEMPT_MS,
      timeoutMs: 3_000,
    });
    closeAfterwards(client);
    await client.ready();

    const traffic = new Traffic(client, (id) => names.get(id) ?? id);
    const beginMs = performance.now();
    await sleep(600);
    const lostMs = performance.now();
    outage.begin(actives);
    await sleep(2_500);
    const backMs = performance.now(); // not before it: the processes take their time
    await outage.end(actives);
    await sleep(600 + HOLD_MS + RAMP_MS + 1_500);
    const endMs = performance.now();
    await traffic.stop();

    // No call failed, and each was answered by a server.
    const served = traffic.servedBetween(0, Infinity);
    console.log(mode, kind, served);
    expect(sum(served, [...ACTIVES, ...PASSIVES])).toBe(traffic.calls.length);

    // In good times the passives are idle, and the actives share.
    const before = traffic.servedBetween(beginMs, lostMs - ATTEMPT_MS);
    expect(Object.keys(before).sort()).toEqual(ACTIVES);

    // The passives take over: no attempt goes to an active any more, but for probes.
    const lastMs = Math.max(...traffic.toActives(lostMs, backMs).map(({ startMs }) => startMs));
    const firstMs = Math.min(
      ...traffic.calls
        .filter(({ by, endMs: atMs }) => PASSIVES.includes(by) && atMs >= lostMs)
        .map(({ endMs: atMs }) => atMs),
    );
    console.log(
      `${mode}, ${kind}: first answer of a passive after ${(firstMs - lostMs).toFixed(0)} ms, ` +
        `last attempt at an active after ${(lastMs - lostMs).toFixed(0)} ms`,
    );
    expect(firstMs - lostMs).toBeLessThan(ATTEMPT_MS + DETECTION_MS);
    expect(lastMs - lostMs).toBeLessThan(ATTEMPT_MS + DETECTION_MS);
    const takenOverMs = lostMs + ATTEMPT_MS + DETECTION_MS;
    // What begins later than this may have been waiting at an active that hung, and came back.
    const during = traffic.servedBetween(takenOverMs, backMs - ATTEMPT_MS);
    expect(Object.keys(during).sort()).toEqual(PASSIVES);

    // Back again: while held down, an active answers its breaker's one probe and nothing else.
    const closed = traffic.closings.filter(({ name }) => ACTIVES.includes(name));
    const first = closed[0];
    if (first === undefined) throw new Error('no breaker closed');
    const heldUntilMs = first.atMs + HOLD_MS;
    expect(first.atMs).toBeGreaterThan(backMs);
    expect(traffic.toActives(takenOverMs, heldUntilMs)).toEqual([]);

    /*
     * Then their share grows from a tenth to all in RAMP_MS, and so at most does that of the first to return. Of n calls
     * of a bin, at a ramp of at most r (that of the bin's end), it gets binomially many: n r, plus 4.5 sigma, plus one
     * probe.
     */
    const bins = [];
    for (let fromMs = heldUntilMs; fromMs + BIN_MS <= endMs; fromMs += BIN_MS) {
      const counts = traffic.servedBetween(fromMs, fromMs + BIN_MS);
      const total = sum(counts, [...ACTIVES, ...PASSIVES]);
      const ramp = Math.min(1, Math.max(0.1, (fromMs + BIN_MS - heldUntilMs) / RAMP_MS));
      bins.push({ ramp, total, first: counts[first.name] ?? 0, actives: sum(counts, ACTIVES) });
    }
    console.log(
      `${mode}, ${kind}: actives per ${BIN_MS} ms`,
      bins.map((bin) => bin.actives),
    );
    for (const { ramp, total, first: got } of bins) {
      const most = total * (ramp + shareTolerance(ramp, total)) + 1;
      expect(got).toBeLessThanOrEqual(most);
    }

    // In the end all is as it was.
    expect(Object.keys(traffic.servedBetween(endMs - 500, endMs)).sort()).toEqual(ACTIVES);
  });
});
