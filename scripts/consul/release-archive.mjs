/** Consul from its publisher's release archive, checked against the published list of checksums. */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { extractFile } from './zip.mjs';

// Of June 2023: still under the MPL 2.0. Later lines are under the Business Source Licence.
const version = '1.15.4';
const base = `https://releases.hashicorp.com/consul/${version}`;
const architectures = new Map([
  ['x64', 'amd64'],
  ['arm64', 'arm64'],
]);

/**
 * @param {string} workDir an empty folder, removed by the caller.
 * @returns {Promise<string>} the unpacked binary inside it.
 */
export async function downloadRelease(workDir) {
  const arch = architectures.get(process.arch);
  if (arch === undefined || !['linux', 'darwin'].includes(process.platform)) {
    throw new Error(`no release is known for ${process.platform} ${process.arch}`);
  }
  const name = `consul_${version}_${process.platform}_${arch}.zip`;
  const sums = (await get(`consul_${version}_SHA256SUMS`)).toString('utf8');
  const expected = checksumOf(sums, name);
  const archive = await get(name);
  const actual = createHash('sha256').update(archive).digest('hex');
  if (actual !== expected) throw new Error(`${name} has SHA-256 ${actual}, expected ${expected}`);
  const binary = path.join(workDir, 'consul');
  await writeFile(binary, extractFile(archive, 'consul'), { mode: 0o755 });
  return binary;
}

/**
 * @param {string} sums lines of `<sha256>  <file name>`.
 * @param {string} name
 */
function checksumOf(sums, name) {
  for (const line of sums.split('\n')) {
    const [sum, file] = line.trim().split(/\s+/);
    if (file === name && /^[0-9a-f]{64}$/.test(sum)) return sum;
  }
  throw new Error(`the list of checksums does not name ${name}`);
}

async function get(name) {
  const response = await fetch(`${base}/${name}`, { signal: AbortSignal.timeout(300_000) }).catch(
    (error) => {
      throw new Error(`${name} could not be fetched (${error.cause?.code ?? error.message})`);
    },
  );
  if (!response.ok) throw new Error(`${name} could not be fetched (status ${response.status})`);
  return Buffer.from(await response.arrayBuffer());
}
