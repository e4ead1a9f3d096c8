/** Draws the pictures of the documentation from runs of the code: `npm run pictures`. */
import { mkdir, writeFile } from 'node:fs/promises';
import { drawTopologies } from './pictures/topologies.js';
import { drawTrafficShares } from './pictures/traffic-share.js';
import { drawStorm } from './storm/pictures.js';

const folder = new URL('../docs/pictures/', import.meta.url);
await mkdir(folder, { recursive: true });
const pictures = [
  ...(await drawTrafficShares()),
  ...(await drawTopologies()),
  ...(await drawStorm()),
];
for (const [name, svg] of pictures) {
  await writeFile(new URL(name, folder), svg);
  console.log(`docs/pictures/${name}`);
}
