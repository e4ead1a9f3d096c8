/** The file of a saved list: its name, what is in it, and how it is written whole or not at all. */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { InstanceList } from './shrink-guard.js';
import { isObject } from './validate.js';

/** Whose list it is. */
export interface ListOwner {
  readonly service: string;
  readonly adapter: string;
}

const FORMAT = 1;
/** A clock that was set back by no more than this between two runs does no harm. */
const FUTURE_MS = 60_000;
/** What is larger was not written by us: 10,000 instances take 3 MB. */
const LARGEST_BYTES = 256 * 2 ** 20;
/** A temporary file as old as this belongs to a process that was killed. */
const LEFT_OVER_MS = 60_000;

/** `orders@consul.json`. */
export function savedListPath(folder: string, { service, adapter }: ListOwner): string {
  return join(folder, `${namePart(service)}@${namePart(adapter)}.json`);
}

/**
 * Any text as a part of a file's name, readable where that can be. With a digest where another text could come to the
 * same: names are cut, and some file systems do not tell upper case from lower.
 */
function namePart(text: string): string {
  // Through a Buffer: half of a surrogate pair is no text that can be encoded.
  const encoded = encodeURIComponent(Buffer.from(text).toString()).replaceAll('*', '%2A');
  if (/^[a-z0-9._-]{1,80}$/.test(encoded)) return encoded;
  const digest = createHash('sha256').update(JSON.stringify(text)).digest('hex');
  return `${encoded.slice(0, 80)}-${digest.slice(0, 16)}`;
}

export function encodeSavedList(owner: ListOwner, list: InstanceList, savedAt: number): string {
  const instances = [...list.values()].map(({ url: _, ...spec }) => spec);
  return `${JSON.stringify({ format: FORMAT, ...owner, savedAt, instances })}\n`;
}

/** What a file says, or why it is of no use. Its entries are not looked at yet. */
export type DecodedList =
  | { readonly instances: readonly unknown[]; readonly savedAt: number }
  | { readonly unusable: string };

export function decodeSavedList(
  text: string,
  owner: ListOwner,
  { maxAgeMs, nowMs }: { readonly maxAgeMs: number; readonly nowMs: number },
): DecodedList {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return { unusable: 'it is no JSON; delete it' };
  }
  if (!isObject(content) || content['format'] !== FORMAT) {
    return { unusable: `it is no saved list of format ${String(FORMAT)}; delete it` };
  }
  const { service, adapter, savedAt, instances } = content;
  if (service !== owner.service || adapter !== owner.adapter) {
    return { unusable: 'it is the list of another service or adapter; delete it' };
  }
  if (typeof savedAt !== 'number' || !Array.isArray(instances)) {
    return { unusable: 'it has no time, or no instances; delete it' };
  }
  const ageMs = nowMs - savedAt;
  // Not `ageMs > maxAgeMs`: a wall clock that gives no number must not make a list young.
  if (!(ageMs <= maxAgeMs)) {
    const ages = `it is ${inWords(ageMs)} old, more than ${inWords(maxAgeMs)}`;
    return { unusable: `${ages}; raise savedList.maxAgeMs if such a list is of use` };
  }
  if (ageMs < -FUTURE_MS) {
    return { unusable: `it was saved ${inWords(-ageMs)} from now; set the clock right` };
  }
  return { instances, savedAt };
}

function inWords(ms: number): string {
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 7_200_000 ? `${(ms / 60_000).toFixed(1)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}

/** @returns `undefined` when there is no such file. */
export async function readSavedFile(path: string): Promise<string | undefined> {
  try {
    // Asked first: to open what is no file (a pipe) may never end.
    const found = await stat(path);
    if (!found.isFile()) throw new Error('it is no regular file');
    if (found.size > LARGEST_BYTES) throw new Error(`it has ${String(found.size)} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Puts the file in place whole, or leaves the one that is there. `mark` differs from that of any other writer. */
export async function writeSavedFile(path: string, text: string, mark: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${mark}.tmp`;
  // 'wx' follows no link, and takes no other writer's file.
  const file = await open(temporary, 'wx', 0o600);
  try {
    try {
      await file.writeFile(text);
      await file.sync(); // or else a name may outlive a power cut and its content not
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

export async function removeSavedFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** Removes what writers of this file left behind that were killed. Best effort: nothing depends on it. */
export async function removeLeftOvers(path: string, nowMs: number): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (!name.startsWith(prefix) || !name.endsWith('.tmp')) continue;
    try {
      const { mtimeMs } = await stat(join(folder, name));
      if (nowMs - mtimeMs > LEFT_OVER_MS) await rm(join(folder, name), { force: true });
    } catch {
      // another process was faster
    }
  }
}

function isMissing(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'ENOENT';
}
