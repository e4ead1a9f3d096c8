/**
 * Makes docs/performance.md and its charts from what the benchmarks have left in bench/results/:
 * `npm run bench -- report`. What was not run is named there as such.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { chartsOf } from './report/charts.js';
import { page, type Picture } from './report/page.js';
import { readResult, type Result } from './report/results.js';
import { SECTIONS } from './report/sections.js';

const docs = new URL('../docs/', import.meta.url);
const pictures = new URL('performance/', docs);
const results = new Map<string, Result>();
const charts = new Map<string, Picture[]>();

await rm(pictures, { recursive: true, force: true });
await mkdir(pictures, { recursive: true });
for (const { name } of SECTIONS) {
  const result = await readResult(new URL('results/', import.meta.url), name);
  if (result === undefined) continue;
  results.set(name, result);
  for (const { file, alt, svg } of chartsOf(result)) {
    await writeFile(new URL(file, pictures), svg);
    charts.set(name, [...(charts.get(name) ?? []), { file, alt }]);
  }
}
await writeFile(new URL('performance.md', docs), page(results, charts));
console.log(`docs/performance.md, of ${[...results.keys()].join(', ')}`);
