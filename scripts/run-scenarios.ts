/** Prints the figures of docs/policies.md: `npm run scenarios`. */
import { scenarioTable } from './pictures/scenario-table.js';

console.log((await scenarioTable()).join('\n'));
