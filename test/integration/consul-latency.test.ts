import { expect, it } from 'vitest';
import { type Latencies, measureLatency } from '../../bench/consul/latency.js';
import { quantile } from '../../bench/consul/quantile.js';
import { startConsulAgent } from '../../scripts/consul-agent.js';

/** What Fairlead may add to Consul's own time, at the 99th percentile. */
const MOST_ADDED_MS = 5;
const ROUNDS = 3;

async function measure(withNoise: boolean): Promise<Latencies> {
  await using agent = await startConsulAgent();
  const latencies = await measureLatency({
    registerAt: agent.url,
    readFrom: agent.url,
    consistency: 'default',
    flips: 100,
    everyMs: 115,
    withNoise,
  });
  const show = (name: keyof Latencies): string =>
    [0.5, 0.99].map((ratio) => quantile(latencies[name], ratio).toFixed(1)).join(' and ');
  console.log(
    `from a flip to the next pick, p50 and p99 in ms: ${show('fromSent')}, from its reply ${show('fromReplied')}; ` +
      `bare query ${show('bare')}; added ${show('added')}; noise ${withNoise ? show('noise') : 'not measured'}`,
  );
  return latencies;
}

/** What two bare queries differ by, where that was measured, is not Fairlead's doing. */
function overLimit({ added, noise }: Latencies): number {
  const allowedMs = MOST_ADDED_MS + (noise.length === 0 ? 0 : quantile(noise, 0.99));
  return quantile(added, 0.99) - allowedMs;
}

// A machine with other things to do adds tens of ms to one in a hundred of whatever is measured. So a round that is over
// the limit is repeated with that noise measured beside.
it('100 flips reach the next pick at most 5 ms after a bare query hears of them', async () => {
  let latencies = await measure(false);
  for (let round = 2; round <= ROUNDS && overLimit(latencies) > 0; round++) {
    latencies = await measure(true);
  }
  expect(latencies.added).toHaveLength(100);
  expect(overLimit(latencies)).toBeLessThanOrEqual(0);
});
