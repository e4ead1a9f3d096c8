import type { SceneName } from './faults.js';
import { AXIOS_RETRY } from './subjects/axios-retry.js';
import { FAIRLEAD } from './subjects/fairlead.js';
import { GLUE } from './subjects/glue.js';
import { GRPC } from './subjects/grpc.js';
import { PROXIED } from './subjects/proxied.js';
import type { Subject } from './subjects/subject.js';
import { UNDICI } from './subjects/undici.js';

export const SUBJECTS: Readonly<Record<string, Subject>> = {
  ...FAIRLEAD,
  ...UNDICI,
  ...GLUE,
  ...AXIOS_RETRY,
  ...GRPC,
  ...PROXIED,
};

/** Those that the goals are for. */
export const OURS = ['Fairlead, call', 'Fairlead, undici', 'Fairlead, fetch', 'Fairlead, axios'];

export const NGINX = 'nginx least_conn, tuned';

/** With retries, and the same without: neither may make a bad moment worse. */
export const PAIRS: readonly (readonly [retries: string, none: string])[] = [
  ['Fairlead, undici', 'Fairlead, undici, no retries'],
  ['opossum + p-retry + load-balancers', 'opossum + load-balancers, no retries'],
];

const WITHOUT_RETRIES = new Set(PAIRS.map(([, none]) => none));
const HEDGED = 'Fairlead, undici, hedged';
const TWO_ATTEMPTS = 'Fairlead, undici, two attempts';
/** Other settings than the defaults, where they matter. */
const SETTINGS: Readonly<Partial<Record<SceneName, readonly string[]>>> = {
  stopped: [HEDGED],
  'three at once': [TWO_ATTEMPTS],
};
const FEW = [...OURS, HEDGED, TWO_ATTEMPTS, NGINX, 'haproxy leastconn, tuned'];

/** Who takes part in a scene of a full run. */
export function castOf(scene: SceneName): string[] {
  if (scene === 'none') return OURS;
  if (scene === 'three, one stopped') return FEW;
  const others = new Set([HEDGED, TWO_ATTEMPTS].filter((name) => !isSetIn(scene, name)));
  return Object.keys(SUBJECTS).filter((name) => !WITHOUT_RETRIES.has(name) && !others.has(name));
}

function isSetIn(scene: SceneName, name: string): boolean {
  return SETTINGS[scene]?.includes(name) === true;
}
