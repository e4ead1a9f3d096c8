/** The pictures of docs/topology.md. Every share in them is what a real client says of itself. */
import { type Client, type ClientOptions, createClient, type InstanceSpec } from 'fairlead';
import { staticList } from 'fairlead/static';
import { ManualClock, settle } from 'fairlead/testing';
import { lineChart } from './line-chart.js';
import { type Group, type Panel, panelPicture, webPicture } from './panels.js';

/** The pictures, by file name. The same every time: nothing in them is left to chance. */
export async function drawTopologies(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['topology-active-active.svg', await drawActiveActive()],
    ['topology-reserve.svg', await drawReserve()],
    ['topology-failback.svg', await drawFailback()],
    ['topology-roles.svg', await drawRoles()],
    ['topology-canary.svg', await drawCanary()],
    ['topology-zones.svg', await drawZones()],
    ['topology-subset.svg', await drawSubset()],
    ['topology-slow-start.svg', await drawSlowStart()],
  ]);
}

/** Ids that a health check finds bad, and the others' roles. */
interface World {
  bad: ReadonlySet<string>;
  role?: (id: string) => string;
}

interface Setting {
  readonly instances: readonly InstanceSpec[];
  readonly world?: World;
  readonly options?: Partial<ClientOptions>;
}

/** No chance at all: health checks are exactly an interval apart. */
const MIDDLE = { next: () => 0.5 };

function open({ instances, world = { bad: new Set() }, options }: Setting): {
  readonly client: Client;
  readonly clock: ManualClock;
} {
  const clock = new ManualClock();
  const client = createClient({
    service: 'orders',
    discovery: staticList(instances),
    env: { clock, rng: MIDDLE },
    healthCheck: {
      intervalMs: 1_000,
      check: ({ instance: { id } }) => ({ healthy: !world.bad.has(id), role: world.role?.(id) }),
    },
    ...options,
  });
  return { client, clock };
}

/** Instances `name1`, `name2` and so on. */
function several(count: number, name: string, spec: Partial<InstanceSpec> = {}): InstanceSpec[] {
  return Array.from({ length: count }, (_, i) => ({
    host: `${name}${String(i + 1)}`,
    port: 80,
    id: `${name}${String(i + 1)}`,
    ...spec,
  }));
}

/** Label, and the instances, of each group of a picture. */
type Groups = readonly (readonly [label: string, instances: readonly InstanceSpec[]])[];

/** One panel: what a client makes of these groups, with `bad` of each out. */
async function panel(
  caption: string,
  groups: Groups,
  bad: readonly string[],
  more: Partial<Setting> & { readonly view?: (client: Client) => Pick<Client, 'explain'> } = {},
): Promise<Panel> {
  const world = { bad: new Set(bad), ...more.world };
  const instances = groups.flatMap(([, list]) => list);
  const { client } = open({ instances, world, ...(more.options && { options: more.options }) });
  await settle();
  const { parts, candidates } = (more.view?.(client) ?? client).explain();
  // By capacity, as `weighted-round-robin` has it; exactly what all policies come to where all weigh the same.
  const shares = new Map(
    candidates.map(({ id, part, capacity }) => {
      const peers = candidates.filter((other) => other.part === part);
      const ratio = parts.find(({ name }) => name === part)?.ratio ?? 0;
      return [id, (ratio * capacity) / peers.reduce((sum, peer) => sum + peer.capacity, 0)];
    }),
  );
  await client.close();
  const drawn = groups.map(([label, list]): Group => {
    const ids = list.map(({ id = '' }) => id);
    return {
      label,
      share: ids.reduce((sum, id) => sum + (shares.get(id) ?? 0), 0),
      instances: ids.map((id) => {
        const isUsed = (shares.get(id) ?? 0) > 0;
        if (world.bad.has(id)) return isUsed ? 'doubted' : 'out';
        return isUsed ? 'busy' : 'idle';
      }),
    };
  });
  return { caption, groups: drawn };
}

async function drawActiveActive(): Promise<string> {
  const groups: Groups = several(4, 'a').map((spec) => [spec.id ?? '', [spec]]);
  return panelPicture({
    title: 'Active-active',
    subtitle: 'All equal. One that fails gets nothing; when most fail, all are used again.',
    panels: [
      await panel('all are well', groups, []),
      await panel('a2 is out', groups, ['a2']),
      await panel('panic: three of four are out', groups, ['a2', 'a3', 'a4']),
    ],
  });
}

async function drawReserve(): Promise<string> {
  const groups: Groups = [
    ['priority 0', several(4, 'a')],
    ['priority 1', several(2, 'r', { priority: 1 })],
  ];
  return panelPicture({
    title: 'Active-active with a reserve',
    subtitle:
      'The reserve gets what those before it cannot carry, each at most 1.4 times its part.',
    panels: [
      await panel('3 of 4 are left', groups, ['a4']),
      await panel('2 of 4 are left', groups, ['a3', 'a4']),
      await panel('1 of 4 is left', groups, ['a2', 'a3', 'a4']),
    ],
  });
}

async function drawFailback(): Promise<string> {
  const world: World = { bad: new Set() };
  const [deadFromS, deadToS, seconds] = [20, 50, 110];
  const { client, clock } = open({
    instances: [...several(1, 'active'), ...several(1, 'passive', { priority: 1 })],
    world,
    options: { stages: { priority: { mode: 'strict' } } },
  });
  await settle();
  const points: Record<'priority 0' | 'priority 1', [number, number][]> = {
    'priority 0': [],
    'priority 1': [],
  };
  for (let second = 0; second <= seconds; second++) {
    const isDead = second >= deadFromS && second < deadToS;
    world.bad = new Set(isDead ? ['active1'] : []);
    const { parts } = client.explain();
    for (const [name, list] of Object.entries(points)) {
      list.push([second, parts.find((part) => part.name === name)?.ratio ?? 0]);
    }
    await clock.advance(1_000);
  }
  await client.close();
  return lineChart({
    title: 'Active-passive: at once there, slowly back',
    subtitle: 'Health checks every second. Back after 10 s without a fault, then over 30 s.',
    x: { label: 'seconds', max: seconds, step: 10, format: String },
    y: {
      label: 'share of the calls',
      max: 1,
      step: 0.25,
      format: (share) => `${String(share * 100)} %`,
    },
    shaded: { from: deadFromS, to: deadToS, label: 'the active one is dead' },
    lines: [
      { name: 'active', colour: '#1668b8', points: points['priority 0'] },
      { name: 'passive', colour: '#c77c11', dashes: '8 3', points: points['priority 1'] },
    ],
  });
}

async function drawRoles(): Promise<string> {
  const groups: Groups = several(3, 'db').map((spec) => [spec.id ?? '', [spec]]);
  const led = (leader: string): World => ({
    bad: new Set(),
    role: (id) => (id === leader ? 'primary' : 'standby'),
  });
  return panelPicture({
    title: 'Roles',
    subtitle: 'Health checks find out who is the primary; a view sends to one role only.',
    panels: [
      await panel("where({ role: 'primary' })", groups, [], {
        world: led('db1'),
        view: (client) => client.where({ role: 'primary' }),
      }),
      await panel("where({ role: 'standby' })", groups, [], {
        world: led('db1'),
        view: (client) => client.where({ role: 'standby' }),
      }),
      await panel("'primary', when db2 leads", groups, [], {
        world: led('db2'),
        view: (client) => client.where({ role: 'primary' }),
      }),
    ],
  });
}

async function drawCanary(): Promise<string> {
  const groups: Groups = [
    ['tag v1', several(4, 'old', { tags: ['v1'] })],
    ['tag v2', several(1, 'new', { tags: ['v2'], weight: 0.2 })],
  ];
  return panelPicture({
    title: 'A canary',
    subtitle:
      'Four of weight 1, one of 0.2. The client sends to all, a view of it to those with the tag.',
    panels: [
      await panel('client', groups, []),
      await panel("where({ tags: ['v2'] })", groups, [], {
        view: (client) => client.where({ tags: ['v2'] }),
      }),
      await panel("where({ tags: ['v1'] })", groups, [], {
        view: (client) => client.where({ tags: ['v1'] }),
      }),
    ],
  });
}

async function drawZones(): Promise<string> {
  const groups: Groups = ['a', 'b', 'c'].map((zone) => [
    `zone ${zone}`,
    several(4, zone, { locality: { zone } }),
  ]);
  const options = { stages: { zone: { local: 'a' } } };
  return panelPicture({
    title: 'Zones',
    subtitle:
      'A client in zone a. Its own zone first, as far as that can carry it; 3 % look after the others.',
    panels: [
      await panel('all are well', groups, [], { options }),
      await panel('half of zone a is out', groups, ['a3', 'a4'], { options }),
      await panel('zone a is out', groups, ['a1', 'a2', 'a3', 'a4'], { options }),
    ],
  });
}

async function drawSubset(): Promise<string> {
  const instances = several(8, 'i');
  const clients = ['0 of 4', '1 of 4', '2 of 4', '3 of 4'];
  const uses: string[][] = [];
  for (let index = 0; index < clients.length; index++) {
    const { client } = open({
      instances,
      options: { stages: { subset: { size: 4, index, total: clients.length } } },
    });
    await settle();
    const used = client.explain().candidates.filter(({ part }) => part === '');
    uses.push(used.map(({ id }) => id));
    await client.close();
  }
  return webPicture({
    title: 'Subsets',
    subtitle: 'Four clients use four of eight instances each; every instance has two clients.',
    clients,
    instances: instances.map(({ id = '' }) => id),
    uses,
  });
}

async function drawSlowStart(): Promise<string> {
  const world: World = { bad: new Set() };
  const [deadFromS, deadToS, seconds] = [10, 30, 80];
  const [steady, ...rest] = several(4, 'a');
  if (steady === undefined) throw new Error('there are four');
  const { client, clock } = open({ instances: [steady, ...rest], world });
  await settle();
  const points: [number, number][] = [];
  for (let second = 0; second <= seconds; second++) {
    world.bad = new Set(second >= deadFromS && second < deadToS ? ['a1'] : []);
    const row = client.explain().candidates.find(({ id }) => id === 'a1');
    points.push([second, row?.capacity ?? 0]);
    await clock.advance(1_000);
  }
  await client.close();
  return lineChart({
    title: 'Slow start: the share of an instance that comes back',
    subtitle:
      'One of four, health checks every second. The ramp is half as long as the outage was, at most 30 s.',
    x: { label: 'seconds', max: seconds, step: 10, format: String },
    y: {
      label: 'capacity, as a part of its weight',
      max: 1,
      step: 0.25,
      format: (share) => `${String(share * 100)} %`,
    },
    shaded: { from: deadFromS, to: deadToS, label: 'dead' },
    lines: [{ name: 'a1', colour: '#1668b8', points }],
  });
}
