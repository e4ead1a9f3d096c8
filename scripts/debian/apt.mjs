/** apt for a user without rights: everything that it writes stays in one folder, nothing of the machine is touched. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The machine's own apt settings hold (proxies, credentials), unless APT_CONFIG names a file apt cannot parse. */
export async function aptEnvironment() {
  const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-config', ['dump'], { env }).catch((error) => {
    if (error.code === 'ENOENT') throw new Error('not a Debian-like system');
    delete env['APT_CONFIG'];
  });
  return env;
}

/**
 * Writes apt settings that keep lists, caches and locks in `dir`.
 *
 * @param {string} dir
 * @param {Readonly<Record<string, string>>} settings of the caller, beside those.
 * @param {readonly string[]} cleared settings of the machine that are not to hold.
 * @returns {Promise<string>} the file, for `apt-get -c`.
 */
export async function writeAptConfig(dir, settings, cleared) {
  const own = (name) => path.join(dir, name);
  await mkdir(own('state/lists/partial'), { recursive: true });
  await mkdir(own('cache/archives/partial'), { recursive: true });
  const all = {
    'Dir::State': own('state/'),
    'Dir::State::lists': own('state/lists/'),
    // What is installed already is not fetched again.
    'Dir::State::status': '/var/lib/dpkg/status',
    'Dir::State::extended_states': own('state/extended_states'),
    'Dir::Cache': own('cache/'),
    'Dir::Cache::archives': own('cache/archives/'),
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
    ...settings,
  };
  const lines = [
    // Hooks of the machine would clean its caches.
    ...['APT::Update', 'Acquire::Languages', ...cleared].map((name) => `#clear ${name};`),
    ...Object.entries(all).map(([name, value]) => `${name} "${value}";`),
  ];
  await writeFile(own('apt.conf'), `${lines.join('\n')}\n`);
  return own('apt.conf');
}

/** What apt says of a failure in one line, without the credentials of a mirror. */
export function firstErrorLine(error) {
  const text = `${error.stderr ?? ''}\n${error.message}`.split('\n').map((line) => line.trim());
  const line = text.find((one) => one.startsWith('E:')) ?? text.find((one) => one !== '') ?? '';
  return line.replaceAll(/\/\/[^/@\s]*@/g, '//***@');
}
