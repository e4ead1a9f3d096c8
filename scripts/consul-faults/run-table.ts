import { type ConsulCluster, startConsulCluster } from '../consul-cluster.js';
import { ACL_SCENES } from './acl-scenes.js';
import { AGENT_SCENES } from './agent-scenes.js';
import { CLUSTER_SCENES } from './cluster-scenes.js';
import type { FaultFigures } from './figures.js';
import { REPLY_SCENES } from './reply-scenes.js';
import { type Patience, runScene } from './run-scene.js';
import type { Scene } from './scene.js';

/** Every fault of the table, in its order. */
export const SCENES: readonly Scene[] = [
  ...AGENT_SCENES,
  ...CLUSTER_SCENES,
  ...ACL_SCENES,
  ...REPLY_SCENES,
];

/** For tests: what takes longer than this is out of bounds for Fairlead, and told of `watch()`. */
export const SHORT: Patience = { fairleadMs: 75_000, npmMs: 10_000, isFull: false };
/** For the documentation. */
export const LONG: Patience = { fairleadMs: 120_000, npmMs: 90_000, isFull: true };

export type SceneResult =
  | { readonly scene: Scene; readonly figures: FaultFigures }
  | { readonly scene: Scene; readonly error: unknown };

export interface TableRun {
  readonly scenes: readonly Scene[];
  readonly patience: Patience;
  /** Scenes at a time, each with an agent of its own; the cluster is one more. */
  readonly lanes: number;
  readonly onResult?: (result: SceneResult) => void;
}

/**
 * Runs scenes side by side: those with an agent of their own in lanes, those in the cluster one after the other, those
 * that keep the processor busy at the end, alone. A scene that cannot be run costs no other.
 */
export async function runTable(run: TableRun): Promise<readonly SceneResult[]> {
  let cluster: Promise<ConsulCluster> | undefined;
  const results = new Map<Scene, SceneResult>();
  const perform = async (scene: Scene): Promise<void> => {
    const service = `web-${SCENES.indexOf(scene)}`;
    const lent = (): Promise<ConsulCluster> => (cluster ??= startConsulCluster());
    const result = await runScene(scene, lent, run.patience, service).then(
      (figures) => ({ scene, figures }),
      (error: unknown) => ({ scene, error }),
    );
    results.set(scene, result);
    if ('error' in result && 'cluster' in scene.open) {
      // Who knows in what state it is.
      await (await cluster)?.stop();
      cluster = undefined;
    }
    run.onResult?.(result);
  };
  const inTurn = async (queue: Scene[]): Promise<void> => {
    for (let scene = queue.shift(); scene !== undefined; scene = queue.shift())
      await perform(scene);
  };
  const alone = run.scenes.filter(({ runsAlone }) => runsAlone === true);
  const others = run.scenes.filter((scene) => !alone.includes(scene));
  const withAgent = others.filter(({ open }) => 'agent' in open);
  try {
    const lanes = Array.from({ length: run.lanes }, () => inTurn(withAgent));
    await Promise.all([...lanes, inTurn(others.filter(({ open }) => 'cluster' in open))]);
    await inTurn(alone);
  } finally {
    await (await cluster)?.stop();
  }
  return run.scenes.flatMap((scene) => results.get(scene) ?? []);
}
