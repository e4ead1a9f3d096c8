import { mkdir, writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';

/** Leaves what a benchmark has measured in bench/results/: `<name>.json`, in Prettier's format, and `<name>.md`. */
export async function writeResults(name: string, results: object, markdown: string): Promise<void> {
  const folder = new URL('./results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const json = new URL(`${name}.json`, folder);
  // Lists of numbers are broken into lines in a way of Prettier's own.
  const style = { ...(await resolveConfig(json)), parser: 'json' };
  await writeFile(json, await format(JSON.stringify(results, undefined, 2), style));
  await writeFile(new URL(`${name}.md`, folder), markdown);
}
