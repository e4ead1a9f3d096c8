import { type ChannelOptions, Client, credentials } from '@grpc/grpc-js';
import { registerFairlead } from 'fairlead/grpc';
import { clientOver, inTurn, type Send, type Subjects } from '../subject.js';

const EMPTY = Buffer.alloc(0);
const asIs = (bytes: Buffer): Buffer => bytes;

const RETRY = {
  name: [{}],
  retryPolicy: {
    maxAttempts: 3,
    initialBackoff: '0.025s',
    maxBackoff: '0.25s',
    backoffMultiplier: 2,
    retryableStatusCodes: ['UNAVAILABLE'],
  },
};
const OUTLIERS = {
  outlier_detection: {
    child_policy: [{ round_robin: {} }],
    success_rate_ejection: {},
    failure_percentage_ejection: {},
  },
};

export const grpc: Subjects = {
  'grpc-js, a channel each': (ports) => {
    const next = inTurn(ports.map((port) => unary(`127.0.0.1:${String(port)}`)));
    return () => next()();
  },
  'grpc-js round_robin': (ports) =>
    unary(addresses(ports), { loadBalancingConfig: [{ round_robin: {} }] }),
  'grpc-js round_robin, outlier detection, retry': (ports) =>
    unary(addresses(ports), { loadBalancingConfig: [OUTLIERS], methodConfig: [RETRY] }),
  'grpc-js, registerFairlead, the same': async (ports) => {
    registerFairlead(await clientOver(ports));
    return unary('fairlead:///orders', { loadBalancingConfig: [OUTLIERS], methodConfig: [RETRY] });
  },
};

function addresses(ports: readonly number[]): string {
  return `ipv4:${ports.map((port) => `127.0.0.1:${String(port)}`).join(',')}`;
}

function unary(target: string, serviceConfig: object = {}): Send {
  const options: ChannelOptions = { 'grpc.service_config': JSON.stringify(serviceConfig) };
  const client = new Client(target, credentials.createInsecure(), options);
  return () =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest('/orders.Orders/Get', asIs, asIs, EMPTY, (error, answer) => {
        if (error === null) resolve(answer);
        else reject(error);
      });
    });
}
