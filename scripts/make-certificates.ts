/**
 * Makes the certificates of test/integration/tls/ anew: `npx tsx scripts/make-certificates.ts`, by hand; what it makes
 * is committed. It needs openssl 1.1.1 or later. All of them have the key `key.pem`, which is no secret and good for
 * tests alone; those of the two authorities are thrown away. `cert.pem` (for `orders`, its own authority) stays as it is.
 *
 * Most are valid from 2020 to 2126, so that no test fails on a day to come, nor on a machine whose clock is behind.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const target = fileURLToPath(new URL('../test/integration/tls/', import.meta.url));
const KEY = join(target, 'key.pem');
const VALID = ['20200101000000Z', '21260101000000Z'] as const;

interface Wanted {
  readonly subject: string;
  /** `subjectAltName` as openssl writes it. Default: none. */
  readonly names?: string;
  /** Default `serverAuth`. */
  readonly usage?: 'serverAuth' | 'clientAuth';
  readonly from?: string;
  readonly to?: string;
}

/** By the name of the file. */
const OURS: Readonly<Record<string, Wanted>> = {
  orders: { subject: 'Orders', names: 'DNS:orders' },
  users: { subject: 'Users', names: 'DNS:users' },
  internal: { subject: 'Orders inside', names: 'DNS:orders.internal.test' },
  wildcard: { subject: 'Services', names: 'DNS:*.svc.test' },
  'common-name': { subject: 'orders' },
  address: { subject: 'Address', names: 'IP:127.0.0.1' },
  expired: { subject: 'Expired', names: 'DNS:orders', to: '20210101000000Z' },
  future: { subject: 'Future', names: 'DNS:orders', from: '21250101000000Z' },
  client: { subject: 'Caller', usage: 'clientAuth' },
};

/** Of an authority that nobody trusts. */
const THEIRS: Readonly<Record<string, Wanted>> = {
  stranger: { subject: 'Orders of a stranger', names: 'DNS:orders' },
  'strange-client': { subject: 'Strange caller', usage: 'clientAuth' },
};

const folder = mkdtempSync(join(tmpdir(), 'fairlead-certificates-'));
try {
  const ours = authority('authority', 'Fairlead test authority, worthless');
  for (const [name, wanted] of Object.entries(OURS)) issue(ours, name, wanted);
  const theirs = authority('strange-authority', 'Another test authority, worthless');
  for (const [name, wanted] of Object.entries(THEIRS)) issue(theirs, name, wanted);
} finally {
  rmSync(folder, { recursive: true });
}

interface Authority {
  readonly certFile: string;
  readonly keyFile: string;
}

function authority(name: string, subject: string): Authority {
  const keyFile = join(folder, `${name}-key.pem`);
  const certFile = join(target, `${name}.pem`);
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', keyFile);
  const extensions = 'basicConstraints = critical, CA:TRUE\nsubjectKeyIdentifier = hash\n';
  sign(['-selfsign', '-keyfile', keyFile], {
    keyFile,
    certFile,
    subject,
    extensions,
    period: VALID,
  });
  return { keyFile, certFile };
}

function issue({ keyFile, certFile }: Authority, name: string, wanted: Wanted): void {
  const { subject, names, usage = 'serverAuth', from = VALID[0], to = VALID[1] } = wanted;
  const extensions = [
    'basicConstraints = critical, CA:FALSE',
    `extendedKeyUsage = ${usage}`,
    'authorityKeyIdentifier = keyid',
    ...(names === undefined ? [] : [`subjectAltName = ${names}`]),
  ].join('\n');
  sign(['-keyfile', keyFile, '-cert', certFile], {
    keyFile: KEY,
    certFile: join(target, `${name}.pem`),
    subject,
    extensions,
    period: [from, to],
  });
}

interface Signing {
  readonly keyFile: string;
  readonly certFile: string;
  readonly subject: string;
  readonly extensions: string;
  readonly period: readonly [from: string, to: string];
}

/** `openssl ca`, for it alone takes both dates in every version; it wants a configuration and a list of what it signed. */
function sign(signer: readonly string[], signing: Signing): void {
  const { keyFile, certFile, subject, extensions, period } = signing;
  const config = join(folder, 'openssl.cnf');
  const list = join(folder, 'list.txt');
  const request = join(folder, 'request.pem');
  writeFileSync(list, '');
  writeFileSync(
    config,
    `[req]
distinguished_name = name
[ca]
default_ca = here
[here]
database = ${list}
new_certs_dir = ${folder}
default_md = sha256
policy = any
rand_serial = yes
[any]
commonName = supplied
[name]
[extensions]
${extensions}
`,
  );
  openssl(
    'req',
    '-new',
    '-config',
    config,
    '-key',
    keyFile,
    '-subj',
    `/CN=${subject}`,
    '-out',
    request,
  );
  const [from, to] = period;
  const dates = ['-startdate', from, '-enddate', to];
  const how = ['-batch', '-notext', '-config', config, '-extensions', 'extensions'];
  openssl('ca', ...how, ...signer, ...dates, '-in', request, '-out', certFile);
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
