/**
 * Puts Fairlead and the npm client's own `watch()` through the same faults of real Consul agents, side by side, and prints
 * the table of docs/consul.md: `npm run consul:faults`, with `--only <text>` those that are named so, with `--short` as
 * the tests do it, with `--write` into the document.
 */
import { parseArgs } from 'node:util';
import type { FaultFigures } from './consul-faults/figures.js';
import { LONG, runTable, SCENES, type SceneResult, SHORT } from './consul-faults/run-table.js';
import { faultLine, faultTable } from './consul-faults/table.js';
import { unheardSentence } from './consul-faults/unheard.js';
import { writeBetweenMarkers } from './consul-faults/write-between-markers.js';

const DOCUMENT = new URL('../docs/consul.md', import.meta.url);

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    short: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});

const scenes = SCENES.filter(({ fault }) => fault.includes(values.only));
if (scenes.length === 0) throw new Error(`No fault is named so: ${values.only}`);
if (values.write && scenes.length < SCENES.length) {
  throw new Error('--write needs the whole table, so it excludes --only.');
}
// Before the long run: it would be in vain.
if (values.write) await writeBetweenMarkers(DOCUMENT, 'consul-faults', undefined);

const tell = (result: SceneResult): void => {
  if ('figures' in result) console.log(faultLine(result.figures));
  else console.error(`${result.scene.fault} could not be run:`, result.error);
};
const results = await runTable({
  scenes,
  patience: values.short ? SHORT : LONG,
  lanes: 4,
  onResult: tell,
});
const figures: FaultFigures[] = results.flatMap((one) => ('figures' in one ? [one.figures] : []));
const table = [...faultTable(figures), '', await unheardSentence()];
console.log(['', ...table].join('\n'));
if (figures.length < scenes.length) process.exitCode = 1;
else if (values.write) await writeBetweenMarkers(DOCUMENT, 'consul-faults', table);
