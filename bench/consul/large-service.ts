/** A service of 10,000 instances in the catalogue of a real agent, and what can happen to it. */
import http from 'node:http';
import { rawPut, rawRequest } from './raw-http.js';

/** Hosts of 100 instances each. */
const NODES = 100;
const PER_NODE = 100;
/** Most operations that a transaction takes. */
const AT_ONCE = 64;

export interface LargeService extends Disposable {
  readonly name: string;
  readonly instances: number;
  /** Bytes of one reply with all of it. */
  readonly listBytes: number;
  /** A node's own check turns: 1 % of the instances change their weight. */
  readonly turnNode: () => Promise<void>;
  /** One instance's check turns. */
  readonly turnOne: () => Promise<void>;
  /** A node's check says the same in other words: every watch wakes up, for nothing. */
  readonly rephrase: () => Promise<void>;
}

export async function registerLargeService(agentUrl: string): Promise<LargeService> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const name = 'catalogue-search';
  const nodes = Array.from({ length: NODES }, (_, i) => `worker-${String(i).padStart(3, '0')}`);
  await inTransactions(
    agent,
    agentUrl,
    nodes.flatMap((node, i) => [
      nodeOperation(node, i),
      checkOperation(nodeCheck(node, 'passing')),
    ]),
  );
  await inTransactions(
    agent,
    agentUrl,
    nodes.flatMap((node, host) =>
      Array.from({ length: PER_NODE }, (_, i) => instanceOperations(name, node, host, i)).flat(),
    ),
  );
  const all = await rawRequest(`${agentUrl}/v1/health/service/${name}`, { agent });
  const instances = (JSON.parse(all.body.toString()) as unknown[]).length;
  let turns = 0;
  const setCheck = (check: object): Promise<Buffer> =>
    rawPut(agent, `${agentUrl}/v1/txn`, [checkOperation(check)]);
  return {
    name,
    instances,
    listBytes: all.body.length,
    async turnNode() {
      const turn = turns++;
      const node = nodes[(turn >> 1) % NODES] ?? '';
      await setCheck(nodeCheck(node, turn % 2 === 0 ? 'warning' : 'passing'));
    },
    async turnOne() {
      const turn = turns++;
      const node = nodes[turn % NODES] ?? '';
      const id = instanceId(name, turn % NODES, Math.floor(turn / NODES) % PER_NODE);
      await setCheck(instanceCheck(node, id, 'warning'));
    },
    async rephrase() {
      const output = `disk 41% full, read ${turns++} times`;
      await setCheck({ ...nodeCheck(nodes[NODES - 1] ?? '', 'passing'), Output: output });
    },
    [Symbol.dispose]() {
      agent.destroy();
    },
  };
}

async function inTransactions(
  agent: http.Agent,
  agentUrl: string,
  operations: readonly object[],
): Promise<void> {
  for (let i = 0; i < operations.length; i += AT_ONCE) {
    await rawPut(agent, `${agentUrl}/v1/txn`, operations.slice(i, i + AT_ONCE));
  }
}

function nodeOperation(node: string, i: number): object {
  const address = `10.20.${String(i)}.1`;
  return {
    Node: {
      Verb: 'set',
      Node: {
        Node: node,
        Address: address,
        TaggedAddresses: { lan: address, wan: address },
        Meta: {
          zone: `eu-west-1${'abc'[i % 3] ?? ''}`,
          'instance-type': 'm5.4xlarge',
          rack: `r${i % 12}`,
        },
      },
    },
  };
}

function instanceOperations(name: string, node: string, host: number, i: number): object[] {
  const id = instanceId(name, host, i);
  const service = {
    ID: id,
    Service: name,
    Port: 20_000 + i,
    Tags: ['http', 'v41', `shard-${i % 16}`],
    Meta: { version: '41.7.3', commit: '9f2c61d0a7b84e35', owner: 'search', protocol: 'http' },
    Weights: { Passing: 10, Warning: 1 },
  };
  return [
    { Service: { Verb: 'set', Node: node, Service: service } },
    checkOperation({ ...instanceCheck(node, id, 'passing'), ServiceName: name }),
  ];
}

function instanceId(name: string, host: number, i: number): string {
  return `${name}-${String(host).padStart(3, '0')}-${String(i).padStart(3, '0')}`;
}

function nodeCheck(node: string, status: string): object {
  return {
    Node: node,
    CheckID: 'disk',
    Name: 'disk space',
    Status: status,
    Output: 'disk 41% full',
  };
}

function instanceCheck(node: string, id: string, status: string): object {
  const output = 'HTTP GET http://10.20.0.1:20000/health: 200 OK';
  const name = 'service: HTTP /health';
  return {
    Node: node,
    CheckID: `${id}:1`,
    Name: name,
    ServiceID: id,
    Status: status,
    Output: output,
  };
}

function checkOperation(check: object): object {
  return { Check: { Verb: 'set', Check: check } };
}
