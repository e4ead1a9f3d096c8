import { readFile } from 'node:fs/promises';

export interface Served {
  readonly requests: number;
  /** Times that each request was served, by id. */
  readonly posts: ReadonlyMap<string, number>;
  readonly gets: ReadonlyMap<string, number>;
}

/** What the servers say they were asked. */
export async function readServerLogs(files: readonly string[]): Promise<Served> {
  const posts = new Map<string, number>();
  const gets = new Map<string, number>();
  let requests = 0;
  for (const file of files) {
    for (const line of (await readFile(file, 'utf8')).split('\n')) {
      const [method, id] = line.split(' ');
      if (id === undefined) continue;
      requests++;
      const counts = method === 'POST' ? posts : gets;
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  }
  return { requests, posts, gets };
}
