/** An agent with ACLs that denies by default, and what its tokens are made of. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { askAgent, askForJson } from '../../scripts/consul/cluster-request.js';
import { type ConsulAgent, startConsulAgent } from '../../scripts/consul-agent.js';

export interface Token {
  readonly AccessorID: string;
  readonly SecretID: string;
}

export interface AclAgent {
  readonly agent: ConsulAgent;
  /** The management token. */
  readonly management: string;
  /** Makes a token with rights of its own, in Consul's language; `''` for none. */
  grant(rules: string): Promise<Token>;
  /** Gives a token other rights in place of those it has. */
  change(token: Token, rules: string): Promise<void>;
  remove(token: Token): Promise<void>;
  /** Every secret of it so far. */
  secrets(): string[];
}

export const MAY_READ = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }';

export async function startAclAgent(): Promise<AclAgent> {
  const management = randomUUID();
  const agent = await startConsulAgent({
    config: {
      acl: { enabled: true, default_policy: 'deny', tokens: { master: management } },
    },
    token: management,
  });
  const secrets: string[] = [management];
  const ask = <T>(path: string, method: 'PUT' | 'DELETE', body?: unknown): Promise<T> =>
    askForJson<T>(agent.url, `/v1/acl/${path}`, { method, body, token: management });

  await whenAclsAreUp(agent.url, management);
  return {
    agent,
    management,
    async grant(rules) {
      const Name = randomUUID(); // so that each token has a policy of its own
      await ask('policy', 'PUT', { Name, Rules: rules });
      const token = await ask<Token>('token', 'PUT', { Policies: [{ Name }] });
      secrets.push(token.SecretID);
      return token;
    },
    async change({ AccessorID, SecretID }, rules) {
      const Name = randomUUID();
      await ask('policy', 'PUT', { Name, Rules: rules });
      await ask(`token/${AccessorID}`, 'PUT', { AccessorID, SecretID, Policies: [{ Name }] });
    },
    remove: ({ AccessorID }) => ask(`token/${AccessorID}`, 'DELETE'),
    secrets: () => secrets,
  };
}

/** A fresh agent has a leader a moment before it has its ACLs. */
async function whenAclsAreUp(url: string, token: string): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 50) {
    if ((await askAgent(url, '/v1/acl/tokens', { token })).status === 200) return;
    await sleep(50);
  }
  throw new Error('the ACLs did not come up within 10 s');
}
