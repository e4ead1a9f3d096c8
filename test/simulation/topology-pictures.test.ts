import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { drawTopologies } from '../../scripts/pictures/topologies.js';

it('the pictures of docs/topology.md are those of this code: else `npm run pictures`', async () => {
  const pictures = await drawTopologies();
  const docs = await readFile(new URL('../../docs/topology.md', import.meta.url), 'utf8');
  for (const [name, svg] of pictures) {
    const kept = await readFile(new URL(`../../docs/pictures/${name}`, import.meta.url), 'utf8');
    expect(kept, name).toBe(svg);
    expect(docs, 'shown in the docs').toContain(`(pictures/${name})`);
  }
});
