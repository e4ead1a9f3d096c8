import { readFile } from 'node:fs/promises';

/** Where each request was worked on, `SERVER.LIFE` each time, by id. */
export type ServerLog = ReadonlyMap<string, readonly string[]>;

/** What the servers say they have done, in all their lives. */
export async function readServerLog(file: string): Promise<ServerLog> {
  const runs = new Map<string, string[]>();
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const [, id, by] = line.split(' ');
    if (id === undefined || by === undefined) continue;
    const known = runs.get(id);
    if (known === undefined) runs.set(id, [by]);
    else known.push(by);
  }
  return runs;
}
