/** Faults of the rights: an agent that denies by default, and a token that may read. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConsulAgent, startConsulAgent } from '../consul-agent.js';
import { askAgent, askForJson } from '../consul/cluster-request.js';
import { exchangeOne, registerAll } from './instances.js';
import { BEFORE, type Scene, type Stage } from './scene.js';

const SERVICE = 'web';
const READER = 'reader';
const RULES = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }';

interface Token {
  readonly AccessorID: string;
  readonly SecretID: string;
}

interface Rights {
  readonly agent: ConsulAgent;
  /** Makes a token that may read, or with `mayRead: false` nothing; or changes it. */
  readonly put: (token: Token, mayRead?: boolean) => Promise<void>;
  readonly remove: (token: Token) => Promise<void>;
}

async function openWithRights(
  build: (rights: Rights) => Promise<Omit<Stage, 'service' | 'url' | 'close' | 'change'>>,
): Promise<Stage> {
  const management = randomUUID();
  const agent = await startConsulAgent({
    config: { acl: { enabled: true, default_policy: 'deny', tokens: { master: management } } },
    token: management,
  });
  const put = async (path: string, body: unknown): Promise<void> => {
    await askForJson(agent.url, path, { method: 'PUT', body, token: management });
  };
  const known = new Set<string>();
  try {
    await whenAclsAreUp(agent.url, management);
    await put('/v1/acl/policy', { Name: READER, Rules: RULES });
    await registerAll(agent, SERVICE, BEFORE);
    const stage = await build({
      agent,
      async put(token, mayRead = true) {
        const path = known.has(token.AccessorID)
          ? `/v1/acl/token/${token.AccessorID}`
          : '/v1/acl/token';
        known.add(token.AccessorID);
        await put(path, { ...token, Policies: mayRead ? [{ Name: READER }] : [] });
      },
      async remove(token) {
        known.delete(token.AccessorID);
        const path = `/v1/acl/token/${token.AccessorID}`;
        await askForJson(agent.url, path, { method: 'DELETE', token: management });
      },
    });
    return {
      service: SERVICE,
      url: agent.url,
      change: () => exchangeOne(agent, SERVICE),
      ...stage,
      close: () => agent.stop(),
    };
  } catch (error) {
    await agent.stop();
    throw error;
  }
}

/** A fresh agent has a leader a moment before it has its ACLs. */
async function whenAclsAreUp(url: string, token: string): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 50) {
    const { status } = await askAgent(url, '/v1/acl/tokens', { token });
    if (status === 200) return;
    await sleep(50);
  }
  throw new Error('the ACLs did not come up within 10 s');
}

const newToken = (): Token => ({ AccessorID: randomUUID(), SecretID: randomUUID() });

export const ACL_SCENES: readonly Scene[] = [
  {
    fault: 'ACL token deleted, later put back',
    cause: /ACL not found/,
    pace: 'permanent',
    lastsMs: 6_000,
    open: {
      agent: () =>
        openWithRights(async ({ put, remove }) => {
          const token = newToken();
          await put(token);
          return {
            fairlead: { token: token.SecretID },
            npm: { token: token.SecretID },
            token: token.SecretID,
            secrets: [token.SecretID],
            strike: () => remove(token),
            cure: () => put(token),
          };
        }),
    },
  },
  {
    fault: 'ACL token rotated, the new one known 3 s later',
    cause: /ACL not found/,
    pace: 'permanent',
    lastsMs: 3_000,
    open: {
      agent: () =>
        openWithRights(async ({ put, remove }) => {
          const [old, next] = [newToken(), newToken()];
          let current = old;
          await put(old);
          return {
            fairlead: { token: () => current.SecretID },
            // It takes a token once: nothing can cure it.
            npm: { token: old.SecretID },
            token: next.SecretID,
            secrets: [old.SecretID, next.SecretID],
            async strike() {
              await put(next);
              await remove(old);
            },
            cure() {
              current = next;
            },
          };
        }),
    },
  },
  {
    fault: 'ACL token without rights for a while (200 with an empty list)',
    cause: /held: the token may not read/,
    pace: 'budget',
    lastsMs: 25_000,
    open: {
      agent: () =>
        openWithRights(async ({ put }) => {
          const token = newToken();
          await put(token);
          return {
            fairlead: { token: token.SecretID },
            npm: { token: token.SecretID },
            token: token.SecretID,
            secrets: [token.SecretID],
            strike: () => put(token, false),
            cure: () => put(token),
          };
        }),
    },
  },
  {
    fault: 'wrong ACL token from the start, later made known',
    cause: /ACL not found/,
    pace: 'permanent',
    lastsMs: 6_000,
    fromStart: true,
    open: {
      agent: () =>
        openWithRights(({ put }) => {
          const token = newToken();
          return Promise.resolve({
            fairlead: { token: token.SecretID },
            npm: { token: token.SecretID },
            token: token.SecretID,
            secrets: [token.SecretID],
            strike: () => undefined,
            cure: () => put(token),
          });
        }),
    },
  },
];
