import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { drawTrafficShares } from '../../scripts/pictures/traffic-share.js';

it('the pictures in the docs are those of this code: else `npm run pictures`', async () => {
  const pictures = await drawTrafficShares();
  expect(pictures.size).toBe(2);
  for (const [name, svg] of pictures) {
    const kept = await readFile(new URL(`../../docs/pictures/${name}`, import.meta.url), 'utf8');
    expect(kept, name).toBe(svg);
  }
});
