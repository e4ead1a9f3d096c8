import { ServiceBroker } from 'moleculer';
import { cycle, HASH_KEYS, type Subject } from '../subject.js';

const ACTION = 'bench.run';

/**
 * What a broker does per call: `findNextActionEndpoint` filters the endpoints that are available and hands them to
 * the strategy. The nodes are registered as if a transporter had reported them.
 */
export const moleculer: readonly Subject[] = [
  'RoundRobin',
  'Random',
  'CpuUsage',
  'Latency',
  'Shard',
].map((strategy) => ({
  library: 'moleculer',
  name: strategy,
  prepare(n) {
    const broker = new ServiceBroker({
      nodeID: 'bench',
      logger: false,
      registry: { strategy, strategyOptions: { shardKey: 'key' } },
    }) as unknown as Internals;
    for (let i = 0; i < n; i++) register(broker, i);
    const list = broker.registry.getActionEndpoints(ACTION);
    if (strategy === 'Latency') {
      for (let i = 0; i < n; i++) {
        list.strategy.updateLatency?.({ hostname: `host-${i}`, avgLatency: 20 + (i % 60) });
      }
    }
    const next = cycle(HASH_KEYS.map((key) => ({ params: { key } })) as [Context]);
    return {
      pick(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) {
          sum += broker.findNextActionEndpoint(ACTION, {}, next()).node.port;
        }
        return sum;
      },
      update() {
        list.removeByNodeID(`node-${n - 1}`);
        register(broker, n - 1);
        // The shard strategy rebuilds its ring with the next pick.
        return broker.findNextActionEndpoint(ACTION, {}, next());
      },
    };
  },
}));

function register(broker: Internals, i: number): void {
  const node = broker.registry.nodes.processNodeInfo({
    sender: `node-${i}`,
    instanceID: `instance-${i}`,
    seq: 1,
    hostname: `host-${i}`,
    port: i + 1,
    ipList: [],
    services: [],
  });
  node.cpu = 20 + (i % 60);
  broker.registry.actions.add(node, { name: 'bench' }, { name: ACTION });
}

interface Context {
  readonly params: { readonly key: string };
}

interface Node {
  readonly port: number;
  cpu: number | null;
}

/** The broker's own parts, not all of which its types name. */
interface Internals {
  readonly registry: {
    readonly nodes: { processNodeInfo(payload: object): Node };
    readonly actions: { add(node: Node, service: object, action: object): void };
    getActionEndpoints(action: string): {
      readonly strategy: { updateLatency?(payload: object): void };
      removeByNodeID(id: string): void;
    };
  };
  findNextActionEndpoint(
    action: string,
    options: object,
    context: Context,
  ): { readonly node: Node };
}
