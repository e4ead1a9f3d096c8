/** Servers with a status, and Fairlead's clients: weights that follow the load, and a leave that nobody notices. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import axios from 'axios';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { wrapFetch } from '../../src/clients/fetch.js';
import { type Client, serverWeighted } from '../../src/index.js';
import { createServerStatus, type UtilizationFunction } from '../../src/server.js';
import { clientOver, serve, type TestServer } from './servers.js';

type Call = (method: string) => Promise<Headers>;

/** A call through each of the wrappers: gives the headers, and throws for a status that is an error. */
const WRAPPERS: [string, (client: Client) => Call][] = [
  [
    'axios',
    (client) => {
      const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
      return async (method) => {
        const { headers } = await http.request<string>({ url: '/', method });
        return new Headers(headers as Record<string, string>);
      };
    },
  ],
  [
    'fetch',
    (client) => {
      const fetch = wrapFetch(client);
      return async (method) => {
        const response = await fetch('http://orders/', { method });
        if (!response.ok) throw new Error(`status ${response.status}`);
        await response.text();
        return response.headers;
      };
    },
  ],
];

function reporting(utilization: UtilizationFunction): Promise<TestServer> {
  const status = createServerStatus({ windowMs: 1_000, utilization });
  return serve(status.handler((_request, response) => response.end('ok')));
}

describe.each(WRAPPERS)('the policy server-weighted, through %s', (_name, callerOf) => {
  it('shares calls by the capacity that servers report', async () => {
    const capacities = [1_000, 2_000, 4_000];
    const servers = await Promise.all(
      capacities.map((capacity) =>
        reporting(({ requestsPerSecond }) => requestsPerSecond / capacity),
      ),
    );
    const client = clientOver(servers, {
      policy: serverWeighted({ blackoutMs: 0, updateMs: 1 }),
      slowStartMs: 0,
    });
    const call = callerOf(client);
    // Until each has had something to report, which takes it a tenth of its window, and twice so that it counts.
    const reported = new Set<string>();
    await vi.waitFor(
      async () => {
        for (let i = 0; i < 30; i++) {
          const header = (await call('GET')).get('endpoint-load-metrics');
          if (header !== null && !header.includes('rps_fractional=0,')) reported.add(header);
        }
        const weights = client.snapshot().instances;
        expect(weights).toHaveLength(3);
        expect(reported.size).toBeGreaterThan(20);
      },
      { timeout: 20_000, interval: 10 },
    );
    const before = servers.map(({ seen }) => seen.length);
    for (let i = 0; i < 700; i++) await call('GET');
    const shares = servers.map(({ seen }, i) => seen.length - (before[i] ?? 0));
    // Each report is rps over rps/capacity, which is the capacity whatever rps is, to four digits. By deadlines of equal
    // weights shares are exact but for one call each; a picker that is built anew, for weights that differ in the fourth
    // digit, keeps its place. A tenth is far above both, and far below the 233 of equal shares.
    expect(shares[0]).toBeGreaterThan(90);
    expect(shares[0]).toBeLessThan(110);
    expect(shares[1]).toBeGreaterThan(180);
    expect(shares[1]).toBeLessThan(220);
  });
});

/** The server in a process of its own, and what it prints. */
async function drainingProcess(
  minMs: number,
): Promise<{ port: number; child: ChildProcess; lines: string[] }> {
  const file = fileURLToPath(new URL('server-draining-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', file, String(minMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await vi.waitFor(() => expect(lines[0]).toMatch(/^port \d+$/), { timeout: 30_000 });
  return { port: Number(lines[0]?.slice(5)), child, lines };
}

interface Made {
  readonly startedAt: number;
  readonly server: string;
}

describe.each(WRAPPERS)('a server that drains under load, through %s', (_name, callerOf) => {
  it('fails no call, gets none once its checks fail, and ends by itself', async () => {
    const leaving = await drainingProcess(3_000);
    const pid = String(leaving.child.pid);
    const others = await Promise.all(
      ['a', 'b'].map((name) => {
        const { handler } = createServerStatus();
        return serve(handler((_request, response) => response.setHeader('x-server', name).end()));
      }),
    );
    const client = clientOver([leaving, ...others], {
      healthCheck: { http: { path: '/ready' }, intervalMs: 50, unhealthyThreshold: 2 },
    });
    const call = callerOf(client);
    const calls: Made[] = [];
    const failures: unknown[] = [];
    let order = 0;
    let noticedAt = Infinity;
    client.on('health.changed', ({ health }) => {
      if (health === 'unhealthy') noticedAt = order;
    });
    const load = { on: true };
    onTestFinished(() => void (load.on = false));
    // POST is sent once: nothing hides a failure.
    const working = Array.from({ length: 16 }, async (_, i) => {
      while (load.on) {
        const startedAt = ++order;
        try {
          const headers = await call(i % 2 === 0 ? 'GET' : 'POST');
          calls.push({ startedAt, server: headers.get('x-server') ?? '' });
        } catch (error) {
          failures.push(error);
          load.on = false; // or it would go on without a pause, once the client is closed
        }
      }
    });
    const callsTo = (server: string): number =>
      calls.filter((made) => made.server === server).length;
    await vi.waitFor(() => expect(callsTo(pid)).toBeGreaterThan(50), { timeout: 20_000 });

    const exit = once(leaving.child, 'exit');
    leaving.child.kill('SIGTERM');
    await vi.waitFor(() => expect(noticedAt).toBeLessThan(Infinity), { timeout: 20_000 });
    expect(leaving.lines).toHaveLength(1); // it serves as long as somebody may not know
    expect(await exit).toEqual([0, null]);
    load.on = false;
    await Promise.all(working);

    expect(leaving.lines.slice(1)).toEqual(['drained, 0 open, 0 refused', 'ended by itself']);
    expect(failures).toEqual([]);
    const late = calls.filter(({ startedAt }) => startedAt > noticedAt);
    expect(late.length).toBeGreaterThan(100);
    expect(late.filter(({ server }) => server === pid)).toEqual([]);
  });
});
