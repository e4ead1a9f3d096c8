/** Prints the figures of docs/reliability.md on storms: `npm run storm`. */
import { stormTable } from './storm/table.js';

console.log((await stormTable()).join('\n'));
