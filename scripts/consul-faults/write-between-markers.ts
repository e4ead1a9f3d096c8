import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/**
 * Puts lines between `<!-- name -->` and `<!-- /name -->` of a file, in place of what stands there.
 *
 * @param lines `undefined` only makes sure that it could.
 * @throws {Error} when the file or a marker is missing.
 */
export async function writeBetweenMarkers(
  file: URL,
  name: string,
  lines: readonly string[] | undefined,
): Promise<void> {
  const path = fileURLToPath(file);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`${path} cannot be read, and the table belongs there.`, { cause });
  });
  const [from, to] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const start = text.indexOf(from);
  const end = text.indexOf(to, start);
  if (start < 0 || end < 0) {
    throw new Error(`${path} needs the markers ${from} and ${to}, in this order.`);
  }
  if (lines === undefined) return;
  const before = text.slice(0, start + from.length);
  await writeFile(file, `${before}\n${lines.join('\n')}\n${text.slice(end)}`);
}
