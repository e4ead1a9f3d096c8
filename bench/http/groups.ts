import type { Subjects } from './subject.js';

/** Subjects that are measured beside one another. */
export interface Group {
  /** What it is about, in a few words. */
  readonly title: string;
  /** The program of what they send to. */
  readonly backends: URL;
  /** The subject that the others are measured by. */
  readonly bare: string;
  /**
   * Where they may run: anywhere, or one core for the caller's side, its proxy included, and another for the backends.
   */
  readonly cores: 'any' | 'one a side';
  /** Late, so that no subject pays for the modules of another group. */
  load(): Promise<Subjects>;
}

const HTTP = new URL('./http-backends.ts', import.meta.url);
const GRPC = new URL('./grpc-backends.ts', import.meta.url);

export const GROUPS = {
  undici: {
    title: 'undici',
    backends: HTTP,
    bare: 'undici Pools',
    cores: 'any',
    load: async () => (await import('./subjects/undici.js')).undici,
  },
  sidecar: {
    title: 'undici and a proxy on one core, the backends on another',
    backends: HTTP,
    bare: 'undici Pools',
    cores: 'one a side',
    load: async () => (await import('./subjects/undici.js')).besideProxies,
  },
  axios: {
    title: 'axios',
    backends: HTTP,
    bare: 'axios',
    cores: 'any',
    load: async () => (await import('./subjects/axios.js')).axios,
  },
  fetch: {
    title: 'fetch',
    backends: HTTP,
    bare: 'fetch',
    cores: 'any',
    load: async () => (await import('./subjects/fetch.js')).fetches,
  },
  grpc: {
    title: 'gRPC, unary calls',
    backends: GRPC,
    bare: 'grpc-js, a channel each',
    cores: 'any',
    load: async () => (await import('./subjects/grpc.js')).grpc,
  },
} as const satisfies Readonly<Record<string, Group>>;

export type GroupName = keyof typeof GROUPS;

export function isGroup(name: string): name is GroupName {
  return Object.hasOwn(GROUPS, name);
}
