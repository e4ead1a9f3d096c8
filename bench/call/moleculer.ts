import { type Context, ServiceBroker } from 'moleculer';
import {
  atOnce,
  ATTEMPT_TIMEOUT_MS,
  type CallSubject,
  inTurn,
  INSTANCES,
  noop,
  type Prepared,
  refused,
} from './subject.js';

const ACTION = 'bench.run';

/**
 * `broker.call` through its balancer to actions on other nodes, with its breaker, retries and timeout. The nodes are
 * registered as if a transporter had reported them; what would be sent ends in the function instead.
 */
export const moleculer: readonly CallSubject[] = [
  subject('broker.call', inTurn, () => noop()),
  subject('a retry', atOnce, ({ _retryAttempts }) => (_retryAttempts === 0 ? refused() : noop())),
];

type Send = (context: Context & { readonly _retryAttempts: number }) => Promise<number>;

function subject(
  name: string,
  runs: (call: () => Promise<unknown>) => Prepared['run'],
  send: Send,
): CallSubject {
  return {
    library: 'moleculer',
    name,
    async prepare() {
      const broker = new ServiceBroker({
        nodeID: 'bench',
        logger: false,
        requestTimeout: ATTEMPT_TIMEOUT_MS,
        retryPolicy: {
          enabled: true,
          retries: 2,
          delay: 0,
          maxDelay: 0,
          factor: 1,
          check: () => true,
        },
        circuitBreaker: {
          enabled: true,
          threshold: 0.9,
          minRequestCount: 20,
          windowTime: 10,
          halfOpenTime: 1_000,
          check: () => true,
        },
      });
      await broker.start();
      for (let i = 0; i < INSTANCES; i++) register(broker as unknown as Internals, i, send);
      return { run: runs(() => broker.call(ACTION)), close: () => broker.stop() };
    },
  };
}

function register(broker: Internals, i: number, send: Send): void {
  const node = broker.registry.nodes.processNodeInfo({
    sender: `node-${i}`,
    instanceID: `instance-${i}`,
    seq: 1,
    hostname: `host-${i}`,
    ipList: [],
    services: [],
  });
  const service = { name: 'bench', fullName: 'bench' };
  const action = { name: ACTION, service };
  const handler = broker.middlewares.wrapHandler('remoteAction', send, action);
  broker.registry.actions.add(node, service, { ...action, handler });
}

/** The broker's own parts, not all of which its types name. */
interface Internals {
  readonly registry: {
    readonly nodes: { processNodeInfo(payload: object): object };
    readonly actions: { add(node: object, service: object, action: object): void };
  };
  readonly middlewares: { wrapHandler(hook: string, handler: Send, action: object): unknown };
}
