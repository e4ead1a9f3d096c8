/** Agents that are spoken to over TLS. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { agentZone, consul, type ConsulOptions, type TlsOptions } from '../../adapters/consul.js';
import { freePort } from '../../scripts/consul/free-port.js';
import { type ConsulAgent, startConsulAgent } from '../../scripts/consul-agent.js';
import { tcpProxy } from '../../src/testing.js';
import { type Authority, createAuthority, encrypted, type PemFiles } from './certificates.js';
import { observe, type ObservedClient } from './observed-client.js';

const PASSPHRASE = 'open-sesame-4711';

let ours: Authority;
let theirs: Authority;
/** Its certificate names `localhost` and no address. */
let named: { readonly agent: ConsulAgent; readonly url: string };
/** Its certificate names 127.0.0.1, and it asks clients for theirs. */
let strict: typeof named;
const observed: ObservedClient[] = [];
const changing: { close(): Promise<void> }[] = [];
/** The adapter asks its agent every 5 s whether it lives. */
const SEVERAL_PROBES_MS = 11_500;

async function agentWith(
  { certFile, keyFile }: Pick<PemFiles, 'certFile' | 'keyFile'>,
  config: Readonly<Record<string, unknown>> = {},
): Promise<typeof named> {
  const https = await freePort();
  const agent = await startConsulAgent({
    config: {
      ca_file: ours.caFile,
      cert_file: certFile,
      key_file: keyFile,
      node_meta: { zone: 'b' },
      ...config,
      ports: { https },
    },
  });
  await agent.register({ name: 'orders', port: 8001 });
  await agent.register({ name: 'orders', port: 8002 });
  return { agent, url: `https://127.0.0.1:${String(https)}` };
}

beforeAll(async () => {
  [ours, theirs] = await Promise.all([createAuthority(), createAuthority()]);
  [named, strict] = await Promise.all([
    agentWith(ours.named),
    agentWith(ours.server, { verify_incoming_https: true }),
  ]);
});

/** A query that is called as the service is. */
async function prepareQuery({ url }: ConsulAgent): Promise<void> {
  const body = JSON.stringify({ Name: 'orders', Service: { Service: 'orders' } });
  const { ok } = await fetch(`${url}/v1/query`, { method: 'POST', body });
  expect(ok).toBe(true);
}

interface ChangingAgent {
  readonly agent: ConsulAgent;
  readonly url: string;
  readonly folder: string;
  /** Starts it anew with a certificate of that authority. */
  readonly present: (authority: Authority) => Promise<void>;
}

async function agentThatChanges(): Promise<ChangingAgent> {
  const folder = mkdtempSync(path.join(tmpdir(), 'fairlead-changing-'));
  const [certFile, keyFile] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
  const write = ({ server }: Authority): void => {
    writeFileSync(certFile, server.cert);
    writeFileSync(keyFile, server.key);
  };
  write(ours);
  const { agent, url } = await agentWith({ certFile, keyFile });
  changing.push({
    async close() {
      await agent.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  });
  const present = async (authority: Authority): Promise<void> => {
    write(authority);
    await agent.restart();
  };
  return { agent, url, folder, present };
}

/** What must be nowhere in what was said: each line of each key, as it stands there. */
function keyLines(): string[] {
  return [ours, theirs]
    .flatMap(({ server, named: second, client }) => [server, second, client])
    .flatMap(({ key }) => key.split('\n').filter((line) => line !== '' && !line.startsWith('-')));
}

afterEach(async () => {
  await Promise.all(observed.map((one) => one.close()));
  const said = observed
    .splice(0)
    .map((one) => one.said())
    .join('\n');
  for (const secret of [...keyLines(), PASSPHRASE]) expect(said).not.toContain(secret);
  await Promise.all(changing.splice(0).map((one) => one.close()));
});

afterAll(async () => {
  await Promise.all([named.agent.stop(), strict.agent.stop()]);
  ours.remove();
  theirs.remove();
});

function clientOf(url: string, tls: TlsOptions): ObservedClient {
  const one = observe({ service: 'orders', discovery: consul({ url, tls }) });
  observed.push(one);
  return one;
}

const found = (one: ObservedClient): Promise<void> =>
  one.until('both instances are found', () => one.ports().join() === '8001,8002');

/** Waits for the first fault, and gives it. */
async function faultOf(one: ObservedClient): Promise<string> {
  await one.until('a fault is told', () => one.faults.length > 0);
  return one.faults[0]?.message ?? '';
}

describe('the certificate of an agent', () => {
  const servername = 'localhost';

  it.each<[string, () => TlsOptions['ca']]>([
    ['text', () => ours.ca],
    ['a Buffer', () => Buffer.from(ours.ca)],
    ['a file', () => ({ file: ours.caFile })],
  ])('is trusted by an authority given as %s', async (_, ca) => {
    const one = clientOf(named.url, { ca: ca(), servername });
    await found(one);
    expect(one.status()).toMatchObject({ state: 'current', size: 2 });
    expect(one.faults).toEqual([]);
  });

  it('has changes followed', async () => {
    const one = clientOf(named.url, { ca: ours.ca, servername });
    await found(one);
    const id = await named.agent.register({ name: 'orders', port: 8003 });
    await one.until('the third is found', () => one.ports().length === 3);
    await named.agent.deregister(id);
    await found(one);
  });

  it.each<[string, () => TlsOptions, RegExp]>([
    ['of an unknown authority', () => ({ ca: theirs.ca, servername }), /certificate|signature/],
    ['of none that Node trusts', () => ({ servername }), /certificate/],
    ['with another name', () => ({ ca: ours.ca }), /altnames.*127\.0\.0\.1/],
  ])('is refused: %s', async (_, tls, words) => {
    const one = clientOf(named.url, tls());
    expect(await faultOf(one)).toMatch(words);
    const { state, cause, size } = one.status();
    expect({ state, size }).toEqual({ state: expect.stringMatching(/stale|refused/), size: 0 });
    expect(cause).toMatch(words);
    console.log(`certificate refused: ${state}: ${cause ?? ''}`);
  });

  it('is not looked at with rejectUnauthorized: false', async () => {
    const one = clientOf(named.url, { rejectUnauthorized: false });
    await found(one);
    expect(one.faults).toEqual([]);
  });

  it('costs no instance when it is exchanged for a wrong one, and heals', async () => {
    const { agent, url, present } = await agentThatChanges();
    const one = clientOf(url, { ca: ours.ca });
    await found(one);
    await present(theirs);
    await one.until('the certificate is refused', () =>
      one.faults.some(({ message }) => /certificate|signature/.test(message)),
    );
    expect(one.ports()).toEqual([8001, 8002]);
    expect(one.status().state).not.toBe('current');
    await present(ours);
    await agent.register({ name: 'orders', port: 8002 });
    await agent.register({ name: 'orders', port: 8009 });
    await one.until('the new instance is found', () => one.ports().includes(8009));
    expect(one.status().state).toBe('current');
    expect(one.fewest).toBeGreaterThan(0); // a fresh agent is told of one after the other
  });

  it.each<[string, Pick<ConsulOptions, 'preparedQuery' | 'pollMs'>]>([
    ['a list that is waited for', {}],
    ['a list that is polled', { preparedQuery: true, pollMs: 1_000 }],
  ])('may come from another authority, once the file names that: %s', async (_, options) => {
    const { agent, url, present, folder } = await agentThatChanges();
    await using link = await tcpProxy({ port: Number(new URL(url).port) });
    const file = path.join(folder, 'trusted.pem');
    writeFileSync(file, ours.ca);
    await prepareQuery(agent);
    const one = observe({
      service: 'orders',
      discovery: consul({
        url: `https://127.0.0.1:${String(link.port)}`,
        tls: { ca: { file } },
        ...options,
      }),
    });
    observed.push(one);
    await found(one);
    const isWaitedFor = options.preparedQuery !== true;
    if (isWaitedFor) await one.until('the agent is probed', () => link.connections === 2);
    writeFileSync(file, theirs.ca);
    await present(theirs);
    await prepareQuery(agent);
    for (const port of [8001, 8002, 8009]) await agent.register({ name: 'orders', port });
    await one.until('the new instance is found', () => one.ports().includes(8009));
    expect(one.fewest).toBeGreaterThan(0); // a fresh agent is told of one after the other
    if (!isWaitedFor) return;
    const [faults, connections] = [one.faults.length, link.connections];
    await sleep(SEVERAL_PROBES_MS);
    const more = link.connections - connections;
    console.log(`authority exchanged: ${faults} faults, then ${more} new connections in 11.5 s`);
    expect(one.status()).toMatchObject({ state: 'current', size: 3 });
    expect(one.faults).toHaveLength(faults);
    // One probe that is refused, one that has read the file again.
    expect(more).toBeLessThanOrEqual(2);
  });
});

describe('an agent that verifies who asks', () => {
  it('is content with a certificate of the authority, given as text or files', async () => {
    const { cert, key, certFile, keyFile } = ours.client;
    const asText = clientOf(strict.url, { ca: ours.ca, cert, key });
    const asFiles = clientOf(strict.url, {
      ca: { file: ours.caFile },
      cert: { file: certFile },
      key: { file: keyFile },
    });
    await found(asText);
    await found(asFiles);
    expect([...asText.faults, ...asFiles.faults]).toEqual([]);
  });

  it('has the key decrypted', async () => {
    const { cert, key } = ours.client;
    const sealed = encrypted(key, PASSPHRASE);
    await found(clientOf(strict.url, { ca: ours.ca, cert, key: sealed, passphrase: PASSPHRASE }));
    const one = clientOf(strict.url, { ca: ours.ca, cert, key: sealed, passphrase: 'wrong-words' });
    const fault = await faultOf(one);
    console.log(`wrong passphrase: ${fault}`);
    expect(fault).toMatch(/decrypt/);
    await one.close();
    expect(one.said()).not.toContain('wrong-words');
  });

  it.each<[string, () => TlsOptions]>([
    ['without a certificate', () => ({ ca: ours.ca })],
    [
      'with a certificate of another authority',
      () => ({ ca: ours.ca, cert: theirs.client.cert, key: theirs.client.key }),
    ],
  ])('refuses a client %s', async (_, tls) => {
    const one = clientOf(strict.url, tls());
    const fault = await faultOf(one);
    console.log(`client refused: ${fault}`);
    expect(fault).toMatch(/certificate/);
    expect(one.status().state).toMatch(/stale|refused/);
  });

  it('tells of a key file that is not there, and of one that is no key', async () => {
    const { cert } = ours.client;
    const missing = path.join(ours.folder, 'no-such-key.pem');
    const none = clientOf(strict.url, { ca: ours.ca, cert, key: { file: missing } });
    expect(await faultOf(none)).toMatch(/ENOENT.*no-such-key\.pem/);
    const wrong = clientOf(strict.url, { ca: ours.ca, cert, key: { file: ours.caFile } });
    expect(await faultOf(wrong)).toMatch(/ERR_OSSL_UNSUPPORTED/);
  });
});

describe('agentZone over TLS', () => {
  const { signal } = new AbortController();

  it('asks as consul() does', async () => {
    const { cert, key } = ours.client;
    expect(await agentZone({ url: strict.url, tls: { ca: ours.ca, cert, key } })(signal)).toBe('b');
    const tls = { ca: { file: ours.caFile }, servername: 'cli.dc1.consul' };
    expect(await agentZone({ url: named.url, tls })(signal)).toBe('b');
  });

  it.each<[string, () => TlsOptions, RegExp]>([
    ['an agent that it cannot trust', () => ({ ca: theirs.ca }), /certificate|signature/],
    ['an agent that does not trust it', () => ({ ca: ours.ca }), /certificate/],
  ])('tells of %s', async (_, tls, words) => {
    await expect(agentZone({ url: strict.url, tls: tls() })(signal)).rejects.toMatchObject({
      code: 'ERR_FAIRLEAD_DISCOVERY',
      message: expect.stringMatching(words),
    });
  });
});
