import type { Backend } from './fleet.js';

/** What befalls one backend. */
interface Fault {
  begin(backend: Backend): Promise<void>;
  /** Resolves when the backend is well again. */
  end(backend: Backend): Promise<void>;
}

const FAULTS = {
  nothing: atOnce(
    () => undefined,
    () => undefined,
  ),
  slow: atOnce(
    (backend) => backend.behave('slow'),
    (backend) => backend.behave('sound'),
  ),
  failing: atOnce(
    (backend) => backend.behave('failing'),
    (backend) => backend.behave('sound'),
  ),
  killed: { begin: (backend) => backend.kill(), end: (backend) => backend.start() },
  stopped: atOnce(
    (backend) => backend.signal('SIGSTOP'),
    (backend) => backend.signal('SIGCONT'),
  ),
} as const satisfies Readonly<Record<string, Fault>>;

/** One that nothing need be waited for. */
function atOnce(begin: (backend: Backend) => void, end: (backend: Backend) => void): Fault {
  return {
    begin(backend) {
      begin(backend);
      return Promise.resolve();
    },
    end(backend) {
      end(backend);
      return Promise.resolve();
    },
  };
}

type FaultKind = keyof typeof FAULTS;

/** What befalls the backends of a run, the busiest first. */
export const SCENES = {
  none: ['nothing'],
  slow: ['slow'],
  failing: ['failing'],
  killed: ['killed'],
  stopped: ['stopped'],
  'three at once': ['killed', 'slow', 'failing'],
  'three, one stopped': ['stopped', 'slow', 'failing'],
} as const satisfies Readonly<Record<string, readonly FaultKind[]>>;

export type SceneName = keyof typeof SCENES;

export function isSceneName(text: string): text is SceneName {
  return Object.hasOwn(SCENES, text);
}

/** @returns when all are in trouble, by the wall clock. */
export async function strike(scene: SceneName, backends: readonly Backend[]): Promise<number> {
  const atMs = Date.now();
  await each(scene, backends, 'begin');
  return atMs;
}

/** @returns when all are well again, by the wall clock. */
export async function mend(scene: SceneName, backends: readonly Backend[]): Promise<number> {
  await each(scene, backends, 'end');
  return Date.now();
}

async function each(
  scene: SceneName,
  backends: readonly Backend[],
  what: keyof Fault,
): Promise<void> {
  const kinds: readonly FaultKind[] = SCENES[scene];
  await Promise.all(
    kinds.map((kind, i) => {
      const backend = backends[i];
      if (backend === undefined) throw new Error('more faults than backends');
      return FAULTS[kind][what](backend);
    }),
  );
}
