import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { CALL_TIMEOUT_MS, type Subject } from './subject.js';

/**
 * Outlier detection as its gRFC (A50) has it, but quicker: once a second, from 10 requests on, out for a second at first.
 * grpc-js takes durations here as objects only: where they are text it falls back to pick_first without a word.
 */
const SERVICE_CONFIG = {
  loadBalancingConfig: [
    {
      outlier_detection: {
        interval: { seconds: 1, nanos: 0 },
        base_ejection_time: { seconds: 1, nanos: 0 },
        max_ejection_time: { seconds: 60, nanos: 0 },
        max_ejection_percent: 50,
        success_rate_ejection: { minimum_hosts: 3, request_volume: 10 },
        failure_percentage_ejection: { threshold: 50, minimum_hosts: 3, request_volume: 10 },
        child_policy: [{ round_robin: {} }],
      },
    },
  ],
  methodConfig: [
    {
      name: [{ service: 'bench.Backend' }],
      retryPolicy: {
        maxAttempts: 2,
        initialBackoff: '0.025s',
        maxBackoff: '0.25s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE', 'INTERNAL'],
      },
    },
  ],
};

export const GRPC: Readonly<Record<string, Subject>> = {
  'grpc-js round_robin': {
    protocol: 'grpc',
    setup:
      'unary; outlier detection every second, one retry after 25 ms, keepalive pings every second',
    open: ({ ports }) => {
      const target = `ipv4:${ports.map((port) => `127.0.0.1:${port}`).join(',')}`;
      const client = new Client(target, credentials.createInsecure(), {
        'grpc.service_config': JSON.stringify(SERVICE_CONFIG),
        'grpc.keepalive_time_ms': 1_000,
        'grpc.keepalive_timeout_ms': 500,
        'grpc.initial_reconnect_backoff_ms': 1_000,
      });
      return (dueMs) =>
        new Promise((resolve, reject) => {
          const metadata = new Metadata();
          metadata.set('x-due', String(dueMs));
          client.makeUnaryRequest(
            '/bench.Backend/Work',
            (text: string) => Buffer.from(text),
            String,
            'work',
            metadata,
            { deadline: Date.now() + CALL_TIMEOUT_MS },
            (error) => {
              if (error === null) resolve();
              else reject(error);
            },
          );
        });
    },
  },
};
