/** What a test or demo asks of an agent's HTTP API, over connections that close at once. */
import { request } from 'node:http';

export interface ServiceRegistration {
  readonly name: string;
  readonly port: number;
  /** Default: `<name>-<port>`. */
  readonly id?: string;
  /** Default: none, so that the node's address counts. */
  readonly address?: string;
  readonly tags?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
  readonly weights?: { readonly passing: number; readonly warning: number };
  /** A TTL check of this length, such as `'30s'`; `false` for none. Default `'10m'`. */
  readonly ttl?: string | false;
  /** What the check says until it first hears. Default `passing`. */
  readonly status?: 'passing' | 'warning' | 'critical';
}

export interface AgentApi {
  /** Registers a service, or replaces it; gives its id. */
  register(service: ServiceRegistration): Promise<string>;
  deregister(id: string): Promise<void>;
  passCheck(id: string): Promise<void>;
  warnCheck(id: string): Promise<void>;
  failCheck(id: string): Promise<void>;
  maintenance(id: string, enable: boolean): Promise<void>;
  /** True once there is a leader and the node itself is in the catalogue. */
  isReady(): Promise<boolean>;
}

/** @param token for agents with ACLs. */
export function agentApi(url: string, token?: string): AgentApi {
  const put = async (path: string, body?: unknown): Promise<void> => {
    const { status, text } = await send(url, 'PUT', path, body, token);
    if (status !== 200) throw new Error(`PUT ${path}: ${String(status)} ${text}`);
  };
  const setCheck = (verb: string, id: string): Promise<void> =>
    put(`/v1/agent/check/${verb}/service:${encodeURIComponent(id)}`);

  return {
    async register(service) {
      const id = service.id ?? `${service.name}-${String(service.port)}`;
      const { ttl = '10m', weights } = service;
      await put('/v1/agent/service/register', {
        ID: id,
        Name: service.name,
        Port: service.port,
        Address: service.address,
        Tags: service.tags,
        Meta: service.meta,
        Weights: weights && { Passing: weights.passing, Warning: weights.warning },
        Check: ttl === false ? undefined : { TTL: ttl, Status: service.status ?? 'passing' },
      });
      return id;
    },
    deregister: (id) => put(`/v1/agent/service/deregister/${encodeURIComponent(id)}`),
    passCheck: (id) => setCheck('pass', id),
    warnCheck: (id) => setCheck('warn', id),
    failCheck: (id) => setCheck('fail', id),
    maintenance: (id, enable) =>
      put(`/v1/agent/service/maintenance/${encodeURIComponent(id)}?enable=${String(enable)}`),
    async isReady() {
      try {
        const leader = await send(url, 'GET', '/v1/status/leader', undefined, token);
        if (leader.status !== 200 || !/"\S+"/.test(leader.text)) return false;
        const nodes = await send(url, 'GET', '/v1/health/service/consul', undefined, token);
        return nodes.status === 200 && nodes.text.includes('"consul"');
      } catch {
        return false;
      }
    },
  };
}

function send(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  token?: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { 'x-consul-token': token };
    const options = { method, agent: false, timeout: 5_000, headers };
    const sent = request(new URL(path, url), options, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      reply.once('error', reject).once('end', () => {
        resolve({ status: reply.statusCode ?? 0, text });
      });
    });
    sent.once('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer within 5 s`)));
    sent.once('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
