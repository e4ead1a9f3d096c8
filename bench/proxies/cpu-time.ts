import { readFile } from 'node:fs/promises';

/** CPU time that the first thread of a process has taken, in ms: all of it for a proxy of one. NaN where Linux is not. */
export async function cpuTimeMs(pid: number): Promise<number> {
  try {
    const [ns] = (await readFile(`/proc/${String(pid)}/schedstat`, 'utf8')).split(' ');
    return Number(ns) / 1e6;
  } catch {
    return NaN;
  }
}
