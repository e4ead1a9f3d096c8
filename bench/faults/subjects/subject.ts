import type { Protocol } from '../fleet.js';
import type { Send } from '../open-loop.js';

/** All of a call; the same for every subject. */
export const CALL_TIMEOUT_MS = 2_000;
/** An attempt at one backend, for those that have no default of their own for it: half of that. */
export const ATTEMPT_TIMEOUT_MS = 1_000;

export interface Target {
  readonly ports: readonly number[];
  /** Of the proxy before them, for a subject that has one. */
  readonly proxyUrl: string | undefined;
  /** Told of an attempt at a backend: its port, and when it began by the wall clock. Where the client lets it be seen. */
  readonly onAttempt: (port: number, atMs: number) => void;
}

/** A way to call the backends. */
export interface Subject {
  readonly protocol?: Protocol;
  readonly proxy?: 'nginx' | 'haproxy';
  /** What it runs with, in words; for the report. */
  readonly setup: string;
  open(target: Target): Promise<Send> | Send;
}

export function origins({ ports }: Target): string[] {
  return ports.map((port) => `http://127.0.0.1:${port}`);
}

/** @throws unless it is what a sound backend answers with. */
export function check(status: number): void {
  if (status !== 200) throw new Error(`HTTP ${status}`);
}
