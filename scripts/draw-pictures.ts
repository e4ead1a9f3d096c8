/** Draws the pictures of docs/policies.md and docs/topology.md from runs of the code: `npm run pictures`. */
import { mkdir, writeFile } from 'node:fs/promises';
import { drawTopologies } from './pictures/topologies.js';
import { drawTrafficShares } from './pictures/traffic-share.js';

const folder = new URL('../docs/pictures/', import.meta.url);
await mkdir(folder, { recursive: true });
for (const [name, svg] of [...(await drawTrafficShares()), ...(await drawTopologies())]) {
  await writeFile(new URL(name, folder), svg);
  console.log(`docs/pictures/${name}`);
}
