import { readFile } from 'node:fs/promises';
import { executableOnPath } from '../../scripts/find-program.mjs';

/** Of the caller's side and of the backends. */
export type TwoCores = readonly [caller: number, backends: number];

/** The first and the last that this process may run on: two halves of one would be neighbours. None without Linux. */
export async function twoCores(): Promise<TwoCores | undefined> {
  try {
    await executableOnPath('taskset');
    const status = await readFile('/proc/self/status', 'utf8');
    const cores = coresIn(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '');
    const [first, last] = [cores[0], cores.at(-1)];
    return first === undefined || last === undefined || first === last ? undefined : [first, last];
  } catch {
    return undefined;
  }
}

/** @param list as Linux writes it, such as `0-3,8`. */
export function coresIn(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [from = NaN, to = from] = range.split('-').map((text) => Number.parseInt(text, 10));
    if (Number.isNaN(from)) return [];
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}
