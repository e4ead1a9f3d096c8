/** Where four policies send their calls while one of four instances goes bad, measured in the simulation. */
import type { PolicyName } from 'fairlead';
import { good, shareOf } from '../../test/simulation/servers.js';
import { type Server, simulate } from '../../test/simulation/simulate.js';
import { lineChart } from './line-chart.js';

const POLICIES: readonly {
  readonly policy: PolicyName;
  readonly colour: string;
  readonly dashes?: string;
}[] = [
  { policy: 'round-robin', colour: '#8a8a8a', dashes: '2 3' },
  { policy: 'p2c', colour: '#c77c11', dashes: '8 3' },
  { policy: 'peak-ewma', colour: '#b5274b', dashes: '12 3 2 3' },
  { policy: 'adaptive', colour: '#1668b8' },
];

const DURATION_MS = 60_000;
const BAD_FROM_MS = 10_000;
const BAD_TO_MS = 40_000;
const STEP_MS = 1_000;

interface Fault {
  readonly file: string;
  readonly title: string;
  readonly label: string;
  readonly serve: ReturnType<Server['serve']>;
}

const FAULTS: readonly Fault[] = [
  {
    file: 'black-hole.svg',
    title: 'A black hole: traffic to an instance that fails in 1 ms',
    label: 'fails every call in 1 ms',
    serve: { ms: 1, outcome: 'failure' },
  },
  {
    file: 'slow-instance.svg',
    title: 'A slow instance: traffic to one that takes 2 s a call',
    label: 'takes 2 s a call',
    serve: { ms: 2_000 },
  },
];

/** The pictures, by file name. The same every time: the runs are seeded. */
export async function drawTrafficShares(): Promise<ReadonlyMap<string, string>> {
  const pictures = new Map<string, string>();
  for (const fault of FAULTS) pictures.set(fault.file, await draw(fault));
  return pictures;
}

async function draw({ title, label, serve }: Fault): Promise<string> {
  const [healthy, ...others] = good(4);
  if (healthy === undefined) throw new Error('there are four');
  const turning: Server = {
    id: 'bad',
    serve: (nowMs, rng) =>
      nowMs >= BAD_FROM_MS && nowMs < BAD_TO_MS ? serve : healthy.serve(nowMs, rng),
  };
  const lines = [];
  for (const { policy, ...style } of POLICIES) {
    const sent = await simulate({
      policy,
      servers: [turning, ...others],
      perSecond: 400,
      durationMs: DURATION_MS,
      seed: 1,
    });
    const points = Array.from({ length: DURATION_MS / STEP_MS }, (_, i) => {
      const fromMs = i * STEP_MS;
      return [
        (fromMs + STEP_MS / 2) / 1_000,
        shareOf(sent, 'bad', fromMs, fromMs + STEP_MS),
      ] as const;
    });
    lines.push({ name: policy, points, ...style });
  }
  return lineChart({
    title,
    subtitle:
      'One of four instances, the others answer in about 50 ms; 400 calls per second, no breakers, no retries.',
    x: { label: 'seconds', max: DURATION_MS / 1_000, step: 10, format: String },
    y: {
      label: 'share of the calls of each second',
      max: 1,
      step: 0.25,
      format: (share) => `${String(share * 100)} %`,
    },
    shaded: { from: BAD_FROM_MS / 1_000, to: BAD_TO_MS / 1_000, label },
    lines,
  });
}
