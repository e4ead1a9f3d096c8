import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestBound } from '../../scripts/consul-faults/request-bound.js';
import {
  runTable,
  SCENES,
  type SceneResult,
  SHORT,
} from '../../scripts/consul-faults/run-table.js';
import { faultLine, faultTable } from '../../scripts/consul-faults/table.js';
import { unheard, unheardSentence } from '../../scripts/consul-faults/unheard.js';

/** After healing; a promise of docs/consul.md. */
const NEVER_OLDER_MS = 45_000;

describe('Fairlead through every fault of the table, beside watch() of the npm client', () => {
  let results: readonly SceneResult[] = [];

  beforeAll(async () => {
    const startMs = performance.now();
    results = await runTable({ scenes: SCENES, patience: SHORT, lanes: 4 });
    console.log(
      `${SCENES.length} faults in ${Math.round((performance.now() - startMs) / 1_000)} s`,
    );
  }, 300_000);

  afterAll(() => {
    console.log(
      faultTable(results.flatMap((one) => ('figures' in one ? [one.figures] : []))).join('\n'),
    );
  });

  it.each(SCENES)('$fault', (scene) => {
    const result = results.find((one) => one.scene === scene);
    if (result === undefined) throw new Error('it was not run');
    if ('error' in result) throw result.error;
    const { figures } = result;
    console.log(faultLine(figures));
    const { fairlead } = figures;

    expect.soft(fairlead.emptyMs, 'ms of an empty list while instances lived').toBe(0);
    expect.soft(fairlead.lackingMs, 'ms without one that lived throughout').toBe(0);
    if (!figures.isForGood) {
      expect
        .soft(fairlead.rightAfterMs ?? Infinity, 'ms to the right list')
        .toBeLessThan(NEVER_OLDER_MS);
    }
    const most = requestBound(scene.pace, figures.lastedMs / 1_000);
    expect.soft(fairlead.requests, 'requests during the fault').toBeLessThanOrEqual(most);
    expect.soft(fairlead.statuses.join('\n')).toMatch(scene.cause);
    expect.soft(fairlead.isAlive).toBe(true);
    expect.soft(fairlead.left).toEqual({ sockets: 0, timers: 0 });
    expect.soft(fairlead.leaksSecret, 'a token in its output').toBe(false);
  });
});

describe('a process in which nobody listens for errors', () => {
  it('lives on without an agent', async () => {
    console.log(await unheardSentence());
    expect(await unheard('fairlead')).toEqual({ code: 0, words: '' });
  });
});
