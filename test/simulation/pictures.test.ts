import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { scenarioTable } from '../../scripts/pictures/scenario-table.js';
import { drawTrafficShares } from '../../scripts/pictures/traffic-share.js';

it('the pictures in the docs are those of this code: else `npm run pictures`', async () => {
  const pictures = await drawTrafficShares();
  expect(pictures.size).toBe(2);
  for (const [name, svg] of pictures) {
    const kept = await readFile(new URL(`../../docs/pictures/${name}`, import.meta.url), 'utf8');
    expect(kept, name).toBe(svg);
  }
}, 60_000);

it('so is the table: else `npm run scenarios`', async () => {
  const docs = await readFile(new URL('../../docs/policies.md', import.meta.url), 'utf8');
  const bare = (line: string): string => line.replace(/\s*\|\s*/g, '|');
  const kept = new Set(docs.split('\n').map(bare));
  const [, , ...rows] = await scenarioTable();
  for (const row of rows) expect(kept).toContain(bare(row));
}, 60_000);
