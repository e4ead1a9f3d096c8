import type { ConsulLike } from '../../adapters/consul.js';
import type { PapiClient, PapiRequest } from '../../adapters/consul/client.js';

/** One request of the adapter, held open until the test settles it. */
export interface FakeCall {
  /** Below `/v1`, with its parameters in place. */
  readonly path: string;
  readonly query: PapiRequest['query'];
  readonly token: string | undefined;
  readonly cancelled: boolean;
  /** A 200 with these entries; `index` undefined leaves the header out. */
  reply(entries: unknown, index?: number | string, changes?: ReplyChanges): void;
  /** Any status, with a body as it stands. */
  refuse(status: number, body?: string, headers?: Record<string, string>): void;
  fail(error: Error): void;
}

export interface ReplyChanges {
  readonly statusCode?: number;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How probes (`/status/leader`) are answered: with a leader, with none, or not at all. */
export type ProbeAnswer = 'leader' | 'no leader' | 'silence';

/** A right that was asked for, as Consul takes it. */
export interface AskedRight {
  readonly Resource: string;
  readonly Segment: string;
}

export interface FakeConsul extends ConsulLike, PapiClient {
  /** All but probes and questions of rights, which are answered by themselves. */
  readonly calls: readonly FakeCall[];
  /** The newest call. */
  newest(): FakeCall;
  probe: ProbeAnswer;
  /** Probes so far. */
  probes: number;
  /** Whether the token holds a right; `undefined` while ACLs are off. */
  holds: ((right: AskedRight) => boolean) | undefined;
  /** Each question of rights. */
  readonly asked: readonly (readonly AskedRight[])[];
}

/** A Consul client whose replies a test writes by hand. */
export function fakeConsul(): FakeConsul {
  const calls: FakeCall[] = [];
  const asked: (readonly AskedRight[])[] = [];
  const fake: FakeConsul = {
    calls,
    asked,
    probe: 'leader',
    probes: 0,
    holds: undefined,
    newest() {
      const call = calls.at(-1);
      if (call === undefined) throw new Error('nothing was asked yet');
      return call;
    },
    agent: {},
    health: {},
    kv: {},
    session: {},
    _request: ({ path, params, query, headers, body: sent, ctx }) =>
      new Promise((resolve, reject) => {
        let cancelled = false;
        ctx.once('cancel', () => {
          cancelled = true;
          reject(new Error('request aborted'));
        });
        const end = (status: number, head: object, body: unknown): void => {
          const text = typeof body === 'string' ? body : JSON.stringify(body);
          const res = { statusCode: status, headers: head, body: Buffer.from(text) };
          resolve({ res });
        };
        if (path === '/status/leader') {
          fake.probes++;
          if (fake.probe !== 'silence') {
            end(200, {}, fake.probe === 'leader' ? '"127.0.0.1:8300"' : '""');
          }
          return;
        }
        if (path === '/internal/acl/authorize') {
          const { holds } = fake;
          const rights = sent as readonly AskedRight[];
          asked.push(rights);
          if (holds === undefined) end(401, {}, 'ACL support disabled');
          else {
            const answer = rights.map((right) => ({ ...right, Allow: holds(right) }));
            end(200, { 'content-type': 'application/json' }, answer);
          }
          return;
        }
        calls.push({
          path: path.replace(/\{(\w+)\}/g, (_, name: string) => String(params[name])),
          query,
          token: headers['x-consul-token'],
          get cancelled() {
            return cancelled;
          },
          reply(entries, index, changes = {}) {
            const { statusCode = 200, contentType = 'application/json', headers: more } = changes;
            const headers = {
              'content-type': contentType,
              ...more,
              ...(index === undefined ? {} : { 'x-consul-index': String(index) }),
            };
            end(statusCode, headers, entries === undefined ? '' : JSON.stringify(entries));
          },
          refuse: (status, body = '', headers = {}) => {
            end(status, { 'content-type': 'application/json', ...headers }, body);
          },
          fail: reject,
        });
      }),
  };
  return fake;
}

export interface EntryFields {
  readonly id?: string;
  readonly node?: string;
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
      Node: fields.node ?? 'n1',
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
