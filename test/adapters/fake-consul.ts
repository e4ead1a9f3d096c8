import type { ConsulLike, ConsulQuery } from '../../adapters/consul.js';

/** One call of `health.service`, held open until the test settles it. */
export interface FakeCall {
  readonly query: ConsulQuery;
  readonly cancelled: boolean;
  /** A 200 with these entries; `index` undefined leaves the header out. */
  reply(entries: unknown, index?: number | string, changes?: ReplyChanges): void;
  /** A status that is no 2xx, as the npm client rejects it. */
  refuse(status: number, body?: string, headers?: Record<string, string>): void;
  fail(error: Error): void;
}

export interface ReplyChanges {
  readonly statusCode?: number;
  readonly contentType?: string;
}

export interface FakeConsul extends ConsulLike {
  readonly calls: readonly FakeCall[];
  /** The newest call. */
  newest(): FakeCall;
}

/** A Consul client whose replies a test writes by hand. */
export function fakeConsul(): FakeConsul {
  const calls: FakeCall[] = [];
  return {
    calls,
    newest() {
      const call = calls.at(-1);
      if (call === undefined) throw new Error('nothing was asked yet');
      return call;
    },
    health: {
      service: (query) =>
        new Promise((resolve, reject) => {
          let cancelled = false;
          query.ctx?.once('cancel', () => {
            cancelled = true;
            reject(new Error('request aborted'));
          });
          calls.push({
            query,
            get cancelled() {
              return cancelled;
            },
            reply(entries, index, { statusCode = 200, contentType = 'application/json' } = {}) {
              const headers = {
                'content-type': contentType,
                ...(index === undefined ? {} : { 'x-consul-index': String(index) }),
              };
              resolve([{ statusCode, headers, body: entries }, entries]);
            },
            refuse(statusCode, body, headers = {}) {
              const response = { statusCode, headers, body };
              reject(Object.assign(new Error('refused'), { isResponse: true, response }));
            },
            fail: reject,
          });
        }),
    },
  };
}

export interface EntryFields {
  readonly id?: string;
  readonly port?: unknown;
  readonly address?: unknown;
  readonly nodeAddress?: string;
  readonly weights?: unknown;
  readonly tags?: unknown;
  readonly meta?: unknown;
  readonly nodeMeta?: unknown;
  readonly locality?: unknown;
  /** Statuses, or whole checks. */
  readonly checks?: readonly unknown[];
}

/** An entry as Consul 1.8 sends it. */
export function entry(fields: EntryFields = {}): unknown {
  return {
    Node: {
      ID: 'c8759191-3731-887e-3c5b-18969787d083',
      Node: 'n1',
      Address: fields.nodeAddress ?? '10.0.0.1',
      Datacenter: 'dc1',
      TaggedAddresses: null,
      Meta: fields.nodeMeta ?? { 'consul-network-segment': '' },
      CreateIndex: 11,
      ModifyIndex: 12,
    },
    Service: {
      ID: fields.id ?? 'web-1',
      Service: 'web',
      Tags: fields.tags ?? [],
      Address: fields.address ?? '',
      Meta: fields.meta ?? null,
      Port: 'port' in fields ? fields.port : 8080,
      Weights: 'weights' in fields ? fields.weights : { Passing: 1, Warning: 1 },
      ...(fields.locality === undefined ? {} : { Locality: fields.locality }),
      EnableTagOverride: false,
      CreateIndex: 13,
      ModifyIndex: 13,
    },
    Checks: (fields.checks ?? ['passing']).map((check, index) =>
      typeof check === 'string'
        ? { CheckID: `check-${index}`, Status: check, Output: 'all is well', ModifyIndex: 14 }
        : check,
    ),
  };
}
