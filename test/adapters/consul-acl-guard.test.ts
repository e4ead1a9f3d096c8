import { describe, expect, it } from 'vitest';
import { settle } from '../../src/testing/manual-clock.js';
import { begin, type Scene } from './consul-scene.js';
import { entry } from './fake-consul.js';

const one = entry({ id: 'web-1', node: 'n1' });
const two = entry({ id: 'web-2', node: 'n2' });
const three = entry({ id: 'web-3', node: 'n3' });
const FILTERED = { headers: { 'x-consul-results-filtered-by-acls': 'true' } };

/** A scene whose list has these entries, with ACLs on. */
async function listing(...entries: readonly unknown[]): Promise<Scene> {
  const scene = await begin({ token: 'abc' });
  scene.client.holds = () => true;
  scene.client.newest().reply(entries, 10);
  await settle();
  return scene;
}

const incompletes = ({ watched }: Scene): readonly unknown[] =>
  watched.snapshots.map(({ incomplete }) => incomplete);

const stales = ({ watched }: Scene): readonly unknown[] =>
  watched.confirmed.map(({ stale }) => stale);

/** Ids in the newest snapshot. */
function ids({ watched }: Scene): readonly unknown[] {
  const snapshot = watched.snapshots.at(-1);
  return snapshot?.kind === 'instances' ? snapshot.instances.map(({ id }) => id) : [];
}

/** What was asked for, as `service web, node n1`. */
const asked = ({ client }: Scene): readonly string[] =>
  client.asked.map((rights) =>
    rights.map(({ Resource, Segment }) => `${Resource} ${Segment}`).join(', '),
  );

/** For how long the newest query is parked. */
const waitOf = ({ client }: Scene): unknown => client.newest().query['wait'];

async function reply(scene: Scene, entries: readonly unknown[], changes = {}): Promise<void> {
  scene.client.newest().reply(entries, 10 + scene.client.calls.length, changes);
  await scene.clock.advance(1_000);
}

describe('a list that shrank', () => {
  it('is incomplete when the token may not read the service any more', async () => {
    const scene = await listing(one, two);
    scene.client.holds = ({ Resource }) => Resource !== 'service';
    await reply(scene, []);
    expect(asked(scene)).toEqual(['service web, node n1, node n2']);
    expect(scene.watched.snapshots[1]).toEqual({
      kind: 'not-found',
      stale: undefined,
      incomplete: 'the token may not read service "web"',
    });
    expect(scene.watched.faults).toEqual([
      {
        message: 'Consul may leave out instances of "web": the token may not read service "web".',
      },
    ]);
    await scene.watched.abort();
  });

  it('is believed when the token holds all rights, or the agent does not say', async () => {
    const scene = await listing(one, two, three);
    await reply(scene, [one, two]);
    scene.client.holds = undefined;
    await reply(scene, [one]);
    expect(incompletes(scene)).toEqual([undefined, undefined, undefined]);
    expect(scene.client.asked).toHaveLength(2);
    // The agent has no ACLs: nothing can be missing, so it is not asked again.
    await reply(scene, []);
    expect(scene.client.asked).toHaveLength(2);
    expect(scene.watched.faults).toEqual([]);
    await scene.watched.abort();
  });

  it('is asked about once, not by each read: again only after 9 s, or when it shrinks again', async () => {
    const scene = await listing(one, two);
    scene.client.holds = ({ Segment }) => Segment !== 'n2';
    for (let second = 0; second < 9; second++) await reply(scene, [one]);
    expect(scene.client.asked).toHaveLength(1);
    for (let second = 9; second < 18; second++) await reply(scene, [one]);
    expect(scene.client.asked).toHaveLength(2);
    expect(scene.watched.snapshots).toHaveLength(2);
    expect(scene.watched.faults).toHaveLength(1);
    await reply(scene, []);
    expect(scene.client.asked).toHaveLength(3);
    await scene.watched.abort();
  });

  it('is whole again when what was missing is back', async () => {
    const scene = await listing(one, two);
    scene.client.holds = () => false;
    await reply(scene, [one]);
    await reply(scene, [one, two, three]);
    expect(incompletes(scene)).toEqual([
      undefined,
      'the token may not read service "web"',
      undefined,
    ]);
    expect(scene.client.asked).toHaveLength(1);
    await scene.watched.abort();
  });

  it('is read again after 10 s, for rights that come back wake no query', async () => {
    const scene = await listing(one, two);
    expect(waitOf(scene)).toBe('60000ms');
    scene.client.holds = () => false;
    await reply(scene, [one]);
    expect(waitOf(scene)).toBe('10000ms');
    await reply(scene, [one, two]);
    expect(waitOf(scene)).toBe('60000ms');
    await scene.watched.abort();
    const impatient = await begin({ token: 'abc', waitMs: 5_000 });
    impatient.client.holds = () => false;
    await reply(impatient, []);
    expect(waitOf(impatient)).toBe('5000ms');
    await impatient.watched.abort();
  });
});

describe('a list that lacks nodes which the token may not read', () => {
  const WHY = 'the token may not read node "n2"';

  it('keeps what was last seen on them, says so, and lets the others go', async () => {
    const scene = await listing(one, two, three);
    const [before] = scene.watched.snapshots;
    scene.client.holds = ({ Segment }) => Segment !== 'n2';
    await reply(scene, [one]);
    expect(asked(scene)).toEqual(['service web, node n2, node n3']);
    const stale = `${WHY}: the instances there are as they were last seen (1)`;
    expect(scene.watched.snapshots[1]).toMatchObject({ stale, incomplete: undefined });
    expect(ids(scene)).toEqual(['dc1/n1/web-1', 'dc1/n2/web-2']);
    expect(stales(scene)).toEqual([undefined, stale]);
    expect(scene.watched.faults).toEqual([
      { message: `Consul may leave out instances of "web": ${WHY}.` },
    ]);
    expect(waitOf(scene)).toBe('10000ms');
    const [a, b] = [before, scene.watched.snapshots[1]].map((snapshot) =>
      snapshot?.kind === 'instances' ? snapshot.instances[1] : undefined,
    );
    expect(b).toBe(a);
    await scene.watched.abort();
  });

  it('keeps them through deploys elsewhere, and no one else', async () => {
    const scene = await listing(one, two, three);
    scene.client.holds = ({ Segment }) => Segment !== 'n2';
    for (let deploy = 0; deploy < 8; deploy++) {
      await reply(scene, [entry({ id: `new-${deploy}` })]);
      expect(ids(scene)).toEqual([`dc1/n1/new-${deploy}`, 'dc1/n2/web-2']);
    }
    await reply(scene, []);
    expect(scene.watched.snapshots.at(-1)?.kind).toBe('instances');
    expect(ids(scene)).toEqual(['dc1/n2/web-2']);
    expect(scene.watched.faults).toHaveLength(1);
    await scene.watched.abort();
  });

  it('has them as the list says once they can be read again', async () => {
    const scene = await listing(one, two);
    scene.client.holds = ({ Segment }) => Segment !== 'n2';
    await reply(scene, [one]);
    scene.client.holds = () => true;
    await reply(scene, [one, entry({ id: 'web-2', node: 'n2', port: 99 })]);
    expect(scene.watched.snapshots[2]).toMatchObject({ instances: [{}, { port: 99 }] });
    expect(stales(scene)[2]).toBeUndefined();
    expect([scene.client.asked.length, waitOf(scene)]).toEqual([1, '60000ms']);
    await scene.watched.abort();
  });

  it('keeps them for one list more when they can be read again, then lets them go', async () => {
    const scene = await listing(one, two, three);
    scene.client.holds = ({ Segment }) => Segment === 'n1' || Segment === 'web';
    await reply(scene, [one]);
    expect(ids(scene)).toHaveLength(3);
    scene.client.holds = ({ Segment }) => Segment !== 'n3';
    await scene.clock.advance(9_000);
    await reply(scene, [one]);
    expect(ids(scene)).toHaveLength(3);
    expect(waitOf(scene)).toBeUndefined();
    await reply(scene, [one]);
    expect(ids(scene)).toEqual(['dc1/n1/web-1', 'dc1/n3/web-3']);
    expect(stales(scene).at(-1)).toBe(
      'the token may not read node "n3": the instances there are as they were last seen (1)',
    );
    expect(waitOf(scene)).toBe('10000ms');
    await scene.watched.abort();
  });

  it('keeps no entry of a node that was no instance when it was last seen', async () => {
    const scene = await listing(one, two);
    await reply(scene, [one, entry({ id: 'web-2', node: 'n2', checks: ['critical'] })]);
    scene.client.holds = ({ Segment }) => Segment !== 'n2';
    await reply(scene, [one]);
    expect(ids(scene)).toEqual(['dc1/n1/web-1']);
    expect(stales(scene).at(-1)).toContain('(0)');
    await scene.watched.abort();
  });

  it('keeps all while the service cannot be read either, and what can be read again goes', async () => {
    const scene = await listing(one, two, three);
    scene.client.holds = () => false;
    await reply(scene, []);
    expect(scene.watched.snapshots[1]?.incomplete).toContain('service "web"');
    scene.client.holds = ({ Segment }) => Segment !== 'n2';
    await scene.clock.advance(9_000);
    await reply(scene, []);
    expect(scene.watched.snapshots).toHaveLength(2);
    await reply(scene, [one]);
    expect(scene.watched.snapshots[2]).toMatchObject({ incomplete: undefined });
    expect(ids(scene)).toEqual(['dc1/n1/web-1', 'dc1/n2/web-2']);
    await scene.watched.abort();
  });

  it('lets no one stay who has to go because others are doubted for one list more', async () => {
    const scene = await listing(one, two);
    scene.client.holds = () => false;
    await reply(scene, []);
    scene.client.holds = ({ Segment }) => Segment !== 'n2';
    await reply(scene, [three]);
    expect(scene.watched.snapshots[2]?.incomplete).toContain('service "web"');
    // Now node n2 is doubted, but neither n1 any more nor n3.
    scene.client.holds = () => true;
    await reply(scene, []);
    expect(scene.watched.snapshots[3]).toMatchObject({ incomplete: undefined });
    expect(ids(scene)).toEqual(['dc1/n2/web-2']);
    await reply(scene, []);
    expect(scene.watched.snapshots[4]).toMatchObject({ kind: 'not-found', stale: undefined });
    await scene.watched.abort();
  });

  it('is incomplete when the agent does not answer while rights are known to be missing', async () => {
    const scene = await listing(one, two, three);
    scene.client.holds = ({ Segment }) => Segment !== 'n2';
    await reply(scene, [one, three]);
    scene.client.holds = () => {
      throw new Error('no answer');
    };
    await reply(scene, [one]);
    expect(incompletes(scene)).toEqual([undefined, undefined, WHY]);
    scene.client.holds = ({ Segment }) => Segment === 'web';
    await scene.clock.advance(9_000);
    await reply(scene, [one]);
    expect(ids(scene)).toEqual(['dc1/n1/web-1', 'dc1/n2/web-2', 'dc1/n3/web-3']);
    expect(incompletes(scene)[3]).toBeUndefined();
    await scene.watched.abort();
  });

  it('names three of them, and tells of each cause once', async () => {
    const many = Array.from({ length: 5 }, (_, i) => entry({ id: `x-${i}`, node: `m${i}` }));
    const scene = await listing(one, ...many);
    scene.client.holds = ({ Segment }) => !Segment.startsWith('m');
    await reply(scene, [one]);
    expect(stales(scene)[1]).toBe(
      'the token may not read node "m0", node "m1", node "m2" and 2 more: the instances there are as they were last seen (5)',
    );
    await scene.clock.advance(9_000);
    await reply(scene, [one]);
    await reply(scene, [one, two]);
    expect(scene.client.asked).toHaveLength(3);
    expect(scene.watched.faults).toHaveLength(1);
    await scene.watched.abort();
  });

  const crowd = (size: number): readonly unknown[] =>
    Array.from({ length: size }, (_, i) => entry({ id: `x-${i}`, node: `m${i}` }));

  it('is asked about in questions of 64 rights, the most that an agent takes', async () => {
    const scene = await listing(one, ...crowd(150));
    scene.client.holds = ({ Segment }) => Segment !== 'm149';
    await reply(scene, [one]);
    expect(scene.client.asked.map(({ length }) => length)).toEqual([64, 64, 23]);
    expect(ids(scene)).toEqual(['dc1/n1/web-1', 'dc1/m149/x-149']);
    await scene.watched.abort();
  });

  it('is asked about in four questions at most, the rest kept if any is denied', async () => {
    const scene = await listing(one, ...crowd(300));
    scene.client.holds = ({ Segment }) => Segment !== 'm7';
    await reply(scene, [one]);
    expect(scene.client.asked.map(({ length }) => length)).toEqual([64, 64, 64, 64]);
    expect(ids(scene)).toHaveLength(1 + 1 + 45);
    // There is room for the rest the next time.
    await scene.clock.advance(9_000);
    await reply(scene, [one]);
    await reply(scene, [one]);
    expect(ids(scene)).toEqual(['dc1/n1/web-1', 'dc1/m7/x-7']);
    await scene.watched.abort();
    const other = await listing(one, ...crowd(300));
    await reply(other, [one]);
    expect(ids(other)).toEqual(['dc1/n1/web-1']);
    await other.watched.abort();
  });
});

describe('a list that lacks something while the token holds all rights again', () => {
  /** Incomplete for want of rights that are back since. */
  async function listed(): Promise<Scene> {
    const scene = await listing(one, two);
    scene.client.holds = () => false;
    await reply(scene, [one]);
    scene.client.holds = () => true;
    await scene.clock.advance(9_000);
    return scene;
  }
  const WHY = 'the token may not read service "web"';

  it('may be from before: it is read again at once, and whole without a list that lacks it', async () => {
    const scene = await listed();
    await reply(scene, [one]);
    expect(scene.client.asked).toHaveLength(2);
    expect(incompletes(scene)).toEqual([undefined, WHY]);
    expect([scene.client.calls.length, waitOf(scene)]).toEqual([4, undefined]);
    await reply(scene, [one, two]);
    expect(scene.watched.snapshots).toMatchObject([
      { instances: [{}, {}] },
      { instances: [{}], incomplete: WHY },
      { instances: [{}, {}], incomplete: undefined },
    ]);
    expect([scene.client.asked.length, waitOf(scene)]).toEqual([2, '60000ms']);
    await scene.watched.abort();
  });

  it('is believed when it says the same twice', async () => {
    const scene = await listed();
    await reply(scene, [one]);
    await reply(scene, [one]);
    expect(incompletes(scene)).toEqual([undefined, WHY, undefined]);
    expect([scene.client.asked.length, waitOf(scene)]).toEqual([3, '60000ms']);
    await scene.watched.abort();
  });

  it('is not believed when they are gone again by then', async () => {
    const scene = await listed();
    await reply(scene, [one]);
    scene.client.holds = ({ Segment }) => Segment !== 'n2';
    await reply(scene, [one]);
    expect(ids(scene)).toEqual(['dc1/n1/web-1', 'dc1/n2/web-2']);
    await scene.watched.abort();
  });

  it('stays doubted as long as that second read fails', async () => {
    const scene = await listed();
    await reply(scene, [one]);
    scene.client.newest().fail(new Error('down'));
    await scene.clock.advance(1_000);
    expect(incompletes(scene)).toEqual([undefined, WHY]);
    await reply(scene, [one]);
    expect(incompletes(scene)).toEqual([undefined, WHY, undefined]);
    await scene.watched.abort();
  });
});

describe('an empty first list', () => {
  it('is doubted too, so that the cause is seen', async () => {
    const scene = await begin({ token: 'abc' });
    scene.client.holds = () => false;
    await reply(scene, []);
    expect(asked(scene)).toEqual(['service web']);
    expect(incompletes(scene)).toEqual(['the token may not read service "web"']);
    expect(scene.watched.faults).toHaveLength(1);
    await scene.watched.abort();
  });
});

describe('the header of agents since 1.11', () => {
  const WHY = 'the token may not read all of it, says the agent';

  it('makes a list that shrank incomplete where the agent does not say of which nodes', async () => {
    const scene = await listing(one, two);
    scene.client.holds = () => {
      throw new Error('no answer');
    };
    await reply(scene, [one], FILTERED);
    expect(incompletes(scene)).toEqual([undefined, WHY]);
    scene.client.holds = ({ Segment }) => Segment !== 'n2';
    await scene.clock.advance(9_000);
    await reply(scene, [one], FILTERED);
    expect(incompletes(scene)).toEqual([undefined, WHY, undefined]);
    expect(ids(scene)).toEqual(['dc1/n1/web-1', 'dc1/n2/web-2']);
    // A later reply without it is whole.
    await reply(scene, [one]);
    expect(ids(scene)).toEqual(['dc1/n1/web-1']);
    expect(scene.client.asked).toHaveLength(2);
    await scene.watched.abort();
  });

  it('is explained by the nodes that the agent names', async () => {
    const scene = await listing(one, two, three);
    scene.client.holds = ({ Segment }) => Segment !== 'n2';
    await reply(scene, [one], FILTERED);
    expect(incompletes(scene)).toEqual([undefined, undefined]);
    expect(ids(scene)).toEqual(['dc1/n1/web-1', 'dc1/n2/web-2']);
    await scene.watched.abort();
  });

  it('that no right explains is doubted once: they may have come since', async () => {
    const scene = await listing(one, two);
    await reply(scene, [one], FILTERED);
    expect(incompletes(scene)).toEqual([undefined, WHY]);
    expect(waitOf(scene)).toBeUndefined();
    await reply(scene, [one], FILTERED);
    expect(incompletes(scene)).toEqual([undefined, WHY, undefined]);
    expect(ids(scene)).toEqual(['dc1/n1/web-1']);
    await scene.watched.abort();
  });

  it('says why a first list is empty', async () => {
    const scene = await begin({ token: 'abc' });
    scene.client.holds = () => true;
    for (let round = 0; round < 3; round++) {
      await reply(scene, [], FILTERED);
      await scene.clock.advance(9_000);
    }
    expect(incompletes(scene)).toEqual([WHY]);
    expect(waitOf(scene)).toBe('10000ms');
    await reply(scene, [one], FILTERED);
    expect(incompletes(scene)).toEqual([WHY, undefined]);
    await scene.watched.abort();
  });

  it('says nothing new where it stood before: the agent is asked', async () => {
    const scene = await begin({ token: 'abc' });
    scene.client.holds = () => true;
    await reply(scene, [one, two], FILTERED);
    expect(incompletes(scene)).toEqual([undefined]);
    await reply(scene, [one], FILTERED);
    expect(asked(scene)).toEqual(['service web, node n2']);
    expect(incompletes(scene)).toEqual([undefined, undefined]);
    await scene.watched.abort();
  });
});

describe('a prepared query', () => {
  it('is judged by the services it found, for its name is none of them', async () => {
    const scene = await begin({ preparedQuery: true, token: 'abc' });
    scene.client.holds = () => false;
    scene.client.newest().reply({ Nodes: [] });
    await scene.clock.advance(7_500);
    expect(scene.client.asked).toHaveLength(0);
    scene.client.newest().reply({ Nodes: [one] });
    await scene.clock.advance(7_500);
    scene.client.newest().reply({ Nodes: [] });
    await settle();
    expect(asked(scene)).toEqual(['service web, node n1']);
    expect(scene.watched.snapshots).toMatchObject([
      { kind: 'instances', instances: [], incomplete: undefined },
      { instances: [{ port: 8080 }] },
      {
        instances: [{ port: 8080 }],
        incomplete: undefined,
        stale:
          'the token may not read node "n1", service "web": the instances there are as they were last seen (1)',
      },
    ]);
    await scene.watched.abort();
  });

  it('keeps those of the services that cannot be read, and no others', async () => {
    const scene = await begin({ preparedQuery: true, token: 'abc' });
    const inService = (id: string, name: string): unknown => {
      const whole = entry({ id }) as { readonly Service: object };
      return { ...whole, Service: { ...whole.Service, Service: name } };
    };
    scene.client.holds = ({ Segment }) => Segment !== 'blue';
    const Nodes = [one, inService('b-1', 'blue'), inService('g-1', 'green')];
    for (const nodes of [Nodes, [one]]) {
      scene.client.newest().reply({ Nodes: nodes });
      await scene.clock.advance(7_500);
    }
    expect(asked(scene)).toEqual(['service blue, service green, node n1']);
    expect(ids(scene)).toEqual(['dc1/n1/web-1', 'dc1/n1/b-1']);
    await scene.watched.abort();
  });
});
