import { createRequire } from 'node:module';
import { connectivityState, experimental, Metadata } from '@grpc/grpc-js';
import type { Subject } from '../subject.js';

const require = createRequire(import.meta.url);
const { createLoadBalancer } = require('@grpc/grpc-js/build/src/load-balancer.js') as {
  readonly createLoadBalancer: (config: unknown, helper: unknown) => Balancer;
};

/** The library's own balancers over subchannels that say they are ready; only those are stand-ins. */
export const grpc: readonly Subject[] = ['round_robin', 'weighted_round_robin'].map((name) => ({
  library: 'grpc-js',
  name,
  prepare(n) {
    let picker: experimental.Picker = new experimental.UnavailablePicker();
    const config = experimental.parseLoadBalancingConfig({
      [name]: name === 'round_robin' ? {} : WEIGHTED,
    });
    const balancer = createLoadBalancer(config, {
      createSubchannel: (address: { port: number }) => readySubchannel(address),
      updateState: (_state: unknown, latest: experimental.Picker) => {
        picker = latest;
      },
      requestReresolution: () => undefined,
      addChannelzChild: () => undefined,
      removeChannelzChild: () => undefined,
    });
    const list = (from: number): void => {
      const endpoints = Array.from({ length: n - from }, (_, i) => ({
        addresses: [{ host: '10.0.0.1', port: from + i + 1 }],
      }));
      balancer.updateAddressList(experimental.statusOrFromValue(endpoints), config, {}, '');
    };
    list(0);
    let i = 0;
    for (const entry of name === 'round_robin' ? [] : balancer.children.values()) {
      const utilization = 0.3 + (i++ % 5) / 10;
      const report = { rps_fractional: 100, application_utilization: utilization, eps: 0 };
      balancer.updateWeight(entry, report);
    }
    balancer.calculateAndUpdateState();
    const args = { metadata: new Metadata(), extraPickInfo: {} };
    let first = 0;
    return {
      pick(times) {
        let sum = 0;
        for (let turn = 0; turn < times; turn++) {
          const { subchannel } = picker.pick(args);
          sum += (subchannel as unknown as ReadySubchannel | null)?.port ?? 0;
        }
        return sum;
      },
      update: () => {
        first = 1 - first;
        list(first);
      },
    };
  },
}));

/** No time of distrust before a weight counts; otherwise the defaults. */
const WEIGHTED = { blackout_period: '0s' };

interface Balancer {
  readonly children: ReadonlyMap<string, object>;
  updateAddressList(endpoints: unknown, config: unknown, options: object, note: string): boolean;
  updateWeight(entry: object, report: object): void;
  calculateAndUpdateState(): void;
}

type ReadySubchannel = ReturnType<typeof readySubchannel>;

function readySubchannel({ port }: { port: number }): object & { readonly port: number } {
  const subchannel = {
    port,
    getConnectivityState: () => connectivityState.READY,
    getAddress: () => `10.0.0.1:${port}`,
    getChannelzRef: () => undefined,
    isHealthy: () => true,
    realSubchannelEquals: (other: unknown) => other === subchannel,
    addConnectivityStateListener: () => undefined,
    removeConnectivityStateListener: () => undefined,
    addHealthStateWatcher: () => undefined,
    removeHealthStateWatcher: () => undefined,
    startConnecting: () => undefined,
    ref: () => undefined,
    unref: () => undefined,
  };
  return subchannel;
}
