import { xorshift } from '../pick/controls.js';

/** What is repeated beside a client. */
export interface ByHand {
  call(fn: () => Promise<number>): Promise<number>;
  pickAndEnd(): number;
}

/** A server as a balancer by hand has it: one object, and nothing beside what it goes by. */
class Server {
  pending = 0;
  ewmaMs = NaN; // first no small integer, so that V8 takes it for a double from the start
  ewmaAtMs = NaN;

  constructor(readonly port: number) {
    this.ewmaMs = this.ewmaAtMs = 0;
  }
}

const TAU_MS = 10_000;

/**
 * The least that a call by latency can touch of `n` instances: power of two choices, a count of what is in flight, and a
 * latency that is learned. No breaker, no retry, no time limit, no record of who waits; an object of 56 bytes and two
 * boxed numbers for each.
 */
export function byHand(n: number): ByHand {
  const servers = Array.from({ length: n }, (_, i) => new Server(i + 1));
  const next = xorshift();
  const draw = (): Server => servers[Math.floor(next() * n)] ?? new Server(0);
  const costOf = ({ ewmaMs, ewmaAtMs, pending }: Server, nowMs: number): number =>
    ewmaMs * Math.exp((ewmaAtMs - nowMs) / TAU_MS) * (pending + 1);
  const begin = (nowMs: number): Server => {
    const [a, b] = [draw(), draw()];
    const server = costOf(b, nowMs) < costOf(a, nowMs) ? b : a;
    server.pending++;
    return server;
  };
  const end = (server: Server, startedAtMs: number): void => {
    const nowMs = performance.now();
    const elapsedMs = nowMs - startedAtMs;
    const w = Math.exp((server.ewmaAtMs - nowMs) / TAU_MS);
    server.pending--;
    server.ewmaMs = Math.max(elapsedMs, server.ewmaMs * w + elapsedMs * (1 - w));
    server.ewmaAtMs = nowMs;
  };
  return {
    async call(fn) {
      const startedAtMs = performance.now();
      const server = begin(startedAtMs);
      try {
        return await fn();
      } finally {
        end(server, startedAtMs);
      }
    },
    pickAndEnd() {
      const startedAtMs = performance.now();
      const server = begin(startedAtMs);
      end(server, startedAtMs);
      return server.port;
    },
  };
}
