import { drawBreakers } from './breaker-charts.js';
import { drawCalls } from './call-charts.js';
import type { Drawing } from './drawing.js';
import { drawFaults } from './fault-charts.js';
import { drawGiven } from './given-charts.js';
import { drawHttp } from './http-charts.js';
import { drawMemory } from './memory-charts.js';
import { drawPicks } from './pick-charts.js';
import type { Result } from './results.js';

const DRAW: Readonly<Record<string, (data: never) => Drawing[]>> = {
  pick: drawPicks,
  call: drawCalls,
  http: drawHttp,
  faults: drawFaults,
  memory: drawMemory,
  breakers: drawBreakers,
};

/** None of results that have another shape than is known here: of an older run, say. */
export function chartsOf({ name, data }: Result): Drawing[] {
  try {
    return DRAW[name]?.(data as never) ?? drawGiven(name, data);
  } catch (error) {
    console.error(`No charts of ${name}: ${String(error)}`);
    return [];
  }
}
