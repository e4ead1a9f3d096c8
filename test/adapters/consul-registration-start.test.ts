import { describe, expect, it } from 'vitest';
import { settle } from '../../src/testing/manual-clock.js';
import { never } from '../support/promises.js';
import { type Asked, begin, type Scene } from './consul-registration-scene.js';

const isRegister = ({ path }: Asked): boolean => path.endsWith('/service/register');

/** The agent takes the registration, but its reply does not come. */
const swallowReply = (agent: Scene['agent']): void => {
  agent.behave = (asked) => {
    if (!isRegister(asked)) return 'well';
    agent.services.set('web-1', {});
    return 'hangs';
  };
};

describe('a start while health hangs', () => {
  it('ends after timeoutMs', async () => {
    const scene = await begin({ timeoutMs: 500, health: never });
    await scene.clock.advance(500);
    expect(scene.begun.error).toMatchObject({ code: 'ERR_FAIRLEAD_DISCOVERY' });
    expect(scene.news()).toEqual([]);
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it('ends with its signal', async () => {
    const controller = new AbortController();
    const scene = await begin({ health: never }, undefined, controller.signal);
    await scene.clock.advance(100);
    controller.abort(new Error('enough'));
    await settle();
    expect(scene.begun.error).toBe(controller.signal.reason);
    expect(scene.news()).toEqual([]);
    expect(scene.clock.pendingTimers).toBe(0);
  });
});

describe('a start whose registration got no reply', () => {
  it('is taken back when it is aborted, and again in case the agent was late', async () => {
    const controller = new AbortController();
    const scene = await begin({}, swallowReply, controller.signal);
    controller.abort(new Error('enough'));
    await settle();
    expect(scene.begun.error).toBe(controller.signal.reason);
    expect([...scene.agent.services.keys()]).toEqual([]);
    scene.agent.services.set('web-1', {});
    await scene.clock.advance(2_500);
    expect([...scene.agent.services.keys()]).toEqual([]);
    expect(scene.clock.pendingTimers).toBe(0);
    expect(scene.news()).toEqual([
      '0 service/register',
      '0 service/deregister/web-1',
      '2500 service/deregister/web-1',
    ]);
  });

  it('is taken back when its time is over, in the background while the agent hangs', async () => {
    const scene = await begin({ timeoutMs: 1_000 }, (agent) => {
      agent.behave = () => 'hangs';
    });
    await scene.clock.advance(1_249);
    expect(scene.begun.status).toBe('pending');
    await scene.clock.advance(1);
    expect(scene.begun.error).toMatchObject({ message: expect.stringContaining('within 1000 ms') });
    scene.agent.services.set('web-1', {});
    scene.agent.behave = () => 'well';
    await scene.clock.advance(1_500);
    expect([...scene.agent.services.keys()]).toEqual([]);
  });

  it('is given up after 6.5 s when the agent goes on hanging', async () => {
    const scene = await begin({ timeoutMs: 1_000 }, (agent) => {
      agent.behave = () => 'hangs';
    });
    await scene.clock.advance(7_500);
    expect(scene.clock.pendingTimers).toBe(0);
    expect(scene.news().length).toBeLessThan(10);
  });

  it('is not taken back once the service is started again', async () => {
    const controller = new AbortController();
    const scene = await begin({}, swallowReply, controller.signal);
    controller.abort(new Error('enough'));
    await settle();
    scene.agent.behave = () => 'well';
    const again = await begin({ client: scene.agent }, undefined, undefined, scene);
    expect(again.begun.status).toBe('resolved');
    await scene.clock.advance(4_000);
    expect([...scene.agent.services.keys()]).toEqual(['web-1']);
    expect(again.news().filter((line) => line.includes('deregister'))).toEqual([
      '0 service/deregister/web-1',
    ]);
  });

  it.each([
    ['its address', 'refuses'],
    ['any address of its name', 'refuses everywhere'],
  ] as const)('leaves alone what it never reached at %s', async (_where, behaviour) => {
    const controller = new AbortController();
    const refuse = (agent: Scene['agent']) => {
      agent.behave = () => behaviour;
    };
    const scene = await begin({}, refuse, controller.signal);
    controller.abort(new Error('enough'));
    await settle();
    expect(scene.begun.status).toBe('rejected');
    expect(scene.news()).toEqual(['0 service/register']);
  });
});

it('the first registration has 2.5 s for an answer, whatever the TTL', async () => {
  const scene = await begin({ check: { ttlMs: 1_000 } }, (agent) => {
    agent.behave = () => 'hangs';
  });
  await scene.clock.advance(2_499);
  expect(scene.news()).toEqual(['0 service/register']);
  scene.agent.behave = () => 'well';
  await scene.clock.advance(100);
  expect(scene.begun.status).toBe('resolved');
});

it('a token that takes its time keeps no socket from others, and counts for the deadline', async () => {
  const stuck = await begin({ id: 'stuck-0', token: never });
  for (let n = 1; n < 6; n++) {
    await begin(
      { client: stuck.agent, id: `stuck-${n}`, token: never },
      undefined,
      undefined,
      stuck,
    );
  }
  const other = await begin({ client: stuck.agent }, undefined, undefined, stuck);
  expect(other.begun.status).toBe('resolved');
  await stuck.clock.advance(10_000);
  expect(stuck.begun.error).toMatchObject({ message: expect.stringContaining('no token came') });
});

describe('a signal of the system during the start', () => {
  it('takes it back, then lets the process end', async () => {
    const scene = await begin({ signals: true }, swallowReply);
    expect(scene.process.listeners('SIGTERM')).toBe(1);
    scene.process.send('SIGTERM');
    await settle();
    expect([...scene.agent.services.keys()]).toEqual([]);
    expect(scene.process.killed).toEqual(['SIGTERM']);
    expect(scene.begun.status).toBe('pending');
    await scene.clock.advance(0);
    expect(scene.begun.error).toMatchObject({ code: 'ERR_FAIRLEAD_CLOSED' });
    expect(scene.process.listeners('SIGTERM')).toBe(0);
  });

  it('waits 3 s at most for an agent that hangs', async () => {
    const scene = await begin({ signals: true }, (agent) => {
      agent.behave = () => 'hangs';
    });
    scene.process.send('SIGTERM');
    await scene.clock.advance(2_999);
    expect([scene.process.killed, scene.begun.status]).toEqual([[], 'pending']);
    await scene.clock.advance(1);
    expect([scene.process.killed, scene.begun.status]).toEqual([['SIGTERM'], 'rejected']);
  });

  it('is not listened for after a start that failed', async () => {
    const scene = await begin({ signals: true }, (agent) => {
      agent.behave = () => [403, 'Permission denied'];
    });
    expect(scene.begun.status).toBe('rejected');
    expect(scene.process.listeners('SIGTERM')).toBe(0);
  });
});
