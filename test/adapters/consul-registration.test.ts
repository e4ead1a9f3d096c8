import { describe, expect, it } from 'vitest';
import type {
  HealthAnswer,
  HealthFunction,
} from '../../adapters/consul/registration/health-report.js';
import { paceOf, retryPauseMs } from '../../adapters/consul/registration/pace.js';
import type { RegistrationEvents } from '../../adapters/consul/registration/registration.js';
import { settle } from '../../src/testing/manual-clock.js';
import { collectUncaught, deferred, never, watched } from '../support/promises.js';
import {
  begin,
  forget,
  half,
  registered,
  type Asked,
  type Scene,
} from './consul-registration-scene.js';

const check = ({ agent }: Scene, id = 'service:web-1') => agent.checks.get(id);
const isBeat = ({ path }: Asked): boolean => path.startsWith('/agent/check/update/');

describe('the first registration', () => {
  it('registers, removes stale checks, and passes on the TTL check', async () => {
    const scene = await begin({ check: { ttlMs: 6_000 } }, ({ checks }) => {
      checks.set('service:web-1', { serviceId: 'web-1', status: 'critical', output: 'old' });
      checks.set('service:web-1:2', { serviceId: 'web-1', status: 'critical', output: 'old' });
      checks.set('_service_maintenance:web-1', {
        serviceId: 'web-1',
        status: 'critical',
        output: '',
      });
      checks.set('service:other', { serviceId: 'other', status: 'critical', output: 'old' });
    });
    expect(scene.news()).toEqual([
      '0 service/register',
      '0 checks',
      '0 check/deregister/service:web-1:2',
      '0 check/update/service:web-1',
    ]);
    expect(scene.begun.status).toBe('resolved');
    expect([...scene.agent.checks].map(([id, { status }]) => [id, status])).toEqual([
      ['service:web-1', 'passing'],
      ['_service_maintenance:web-1', 'critical'],
      ['service:other', 'critical'],
    ]);
  });

  it('is tried again until the agent is there', async () => {
    let up = false;
    const scene = await begin({}, (agent) => {
      agent.behave = () => (up ? 'well' : 'refuses');
    });
    await scene.clock.advance(1_000);
    const tries = scene.news();
    // Half of 250 ms, then of 500 ms, then of 1 s.
    expect(tries).toEqual([
      '0 service/register',
      '125 service/register',
      '375 service/register',
      '875 service/register',
    ]);
    up = true;
    await scene.clock.advance(1_000);
    expect(scene.begun.status).toBe('resolved');
  });

  it('rejects after timeoutMs, with the last fault', async () => {
    const scene = await begin({ timeoutMs: 5_000 }, (agent) => {
      agent.behave = () => 'refuses';
    });
    await scene.clock.advance(4_999);
    expect(scene.begun.status).toBe('pending');
    await scene.clock.advance(1);
    expect(scene.begun.error).toMatchObject({
      code: 'ERR_FAIRLEAD_DISCOVERY',
      message:
        'Consul did not take the registration of "web-1" within 5000 ms: connect ECONNREFUSED',
      cause: { kind: 'transient' },
    });
    scene.news();
    await scene.clock.advance(60_000);
    expect(scene.news()).toEqual([]);
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it.each([
    [403, 'ACL not found'],
    [400, 'Invalid Weights: Passing must be greater than 0'],
  ])('rejects at once on a %i, with the words of the agent', async (status, text) => {
    const scene = await begin({ token: 'hunter2' }, (agent) => {
      agent.behave = () => [status, `${text} (hunter2)`];
    });
    expect(scene.begun.error).toMatchObject({ code: 'ERR_FAIRLEAD_DISCOVERY' });
    expect(String(scene.begun.error)).toContain(
      `refused the registration of "web-1": status ${status}, ${text} (***)`,
    );
    // What may be of another process is not taken away.
    expect(scene.news()).toEqual(['0 service/register']);
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it('takes back what it registered when the check cannot be passed', async () => {
    const scene = await begin({}, (agent) => {
      agent.behave = (asked) => (isBeat(asked) ? [403, 'Permission denied'] : 'well');
    });
    expect(scene.begun.status).toBe('rejected');
    expect(scene.agent.services.size).toBe(0);
  });

  it('ends with the signal of who waits', async () => {
    const controller = new AbortController();
    const hangs = (agent: Scene['agent']) => {
      agent.behave = () => 'hangs';
    };
    const scene = await begin({}, hangs, controller.signal);
    controller.abort(new Error('enough'));
    await scene.clock.advance(250);
    expect(scene.begun.error).toBe(controller.signal.reason);
    await scene.clock.advance(6_250);
    expect(scene.clock.pendingTimers).toBe(0);
  });
});

describe('heartbeats', () => {
  it('go every third of the TTL, a little early', async () => {
    const scene = await registered();
    await scene.clock.advance(15_000);
    expect(scene.news()).toEqual(
      [4_750, 9_500, 14_250].map((ms) => `${ms} check/update/service:web-1`),
    );
  });

  it('go at least every 10 s', async () => {
    const scene = await registered({ check: { ttlMs: 600_000 } });
    await scene.clock.advance(20_000);
    expect(scene.news()).toEqual([9_500, 19_000].map((ms) => `${ms} check/update/service:web-1`));
  });

  it.each(['hangs', 'refuses', [500, 'No cluster leader']] as const)(
    'that meet an agent that %o are tried again before the TTL is over',
    async (behaviour) => {
      const scene = await registered();
      scene.agent.behave = () => behaviour;
      await scene.clock.advance(15_000);
      const tries = scene.news().length;
      expect(tries).toBeGreaterThanOrEqual(3);
      expect(tries).toBeLessThanOrEqual(12);
    },
  );

  it('that are lost one at a time leave no gap of half a TTL', async () => {
    const scene = await registered({ check: { ttlMs: 3_000 } });
    let count = 0;
    const heardMs: number[] = [];
    scene.agent.behave = ({ atMs }) => {
      if (count++ % 2 === 0) return 'hangs';
      heardMs.push(atMs);
      return 'well';
    };
    await scene.clock.advance(60_000);
    const gaps = heardMs.slice(1).map((ms, i) => ms - (heardMs[i] ?? 0));
    expect(gaps.length).toBeGreaterThan(30);
    expect(Math.max(...gaps)).toBeLessThan(1_600);
  });

  it('of an agent that asks for rest pause as long, but no longer than usual', () => {
    const pace = paceOf(15_000);
    const pause = (retryAfterMs?: number) =>
      retryPauseMs({ kind: 'busy', retryAfterMs }, 1, pace, half);
    expect([pause(), pause(2_000), pause(60_000)]).toEqual([1_125, 2_125, 5_000]);
  });

  it('of an agent that asks for rest are no more than usual', async () => {
    const scene = await registered();
    scene.agent.behave = () => [429, 'Too many'];
    await scene.clock.advance(60_000);
    expect(scene.news().length).toBeLessThanOrEqual(30);
    expect(scene.registration.status()).toMatchObject({ state: 'registered' });
  });

  it('that are turned away are reported once a minute, and go on', async () => {
    const scene = await registered();
    const faults: RegistrationEvents['fault'][] = [];
    scene.registration.on('fault', (fault) => faults.push(fault));
    scene.agent.behave = () => [403, 'ACL not found'];
    await scene.clock.advance(121_000);
    expect(faults.map(({ message, failures }) => [message, failures])).toEqual([
      ['Consul: status 403, ACL not found; check the option "token"', 1],
      ['Consul: status 403, ACL not found; check the option "token"', 14],
    ]);
    expect(scene.news()).toHaveLength(25);
    scene.agent.behave = () => 'well';
    await scene.clock.advance(5_000);
    expect(scene.registration.status()).toMatchObject({
      failures: 0,
      lastFault: 'status 403, ACL not found; check the option "token"',
    });
  });

  it.each<[string, readonly [number, string]]>([
    ['1.8', [500, 'CheckID "service:web-1" does not have associated TTL']],
    ['1.8 with ACLs', [500, 'Unknown check "service:web-1"']],
    ['later versions', [404, 'Unknown check ID "service:web-1"']],
  ])(
    'that the agent knows nothing of, in the words of %s, register again',
    async (_version, text) => {
      const scene = await registered();
      const told: string[] = [];
      scene.registration.on('lost', ({ id }) => told.push(`lost ${id}`));
      scene.registration.on('registered', ({ id }) => told.push(`registered ${id}`));
      forget(scene.agent, 'web-1');
      scene.agent.behave = (asked) =>
        isBeat(asked) && !scene.agent.services.has('web-1') ? text : 'well';
      await scene.clock.advance(4_750);
      expect(scene.news()).toEqual([
        '4750 check/update/service:web-1',
        '4750 service/register',
        '4750 check/update/service:web-1',
      ]);
      expect(told).toEqual(['lost web-1', 'registered web-1']);
      expect(check(scene)?.status).toBe('passing');
    },
  );

  it('say lost until the agent has taken it again', async () => {
    const scene = await registered();
    forget(scene.agent, 'web-1');
    scene.agent.behave = ({ path }) => (path.endsWith('/register') ? 'refuses' : 'well');
    await scene.clock.advance(4_750);
    expect(scene.registration.status().state).toBe('lost');
    scene.agent.behave = () => 'well';
    await scene.clock.advance(1_000);
    expect(scene.registration.status()).toMatchObject({ state: 'registered', failures: 0 });
  });

  it('that are forgotten each time make no hot loop', async () => {
    const scene = await registered();
    scene.agent.behave = (asked) => (isBeat(asked) ? [404, 'Unknown check'] : 'well');
    await scene.clock.advance(60_000);
    expect(scene.news().length).toBeLessThan(150);
    expect(scene.registration.status().lastFault).toBe('it lost the service as soon as it had it');
  });
});

describe('without a TTL check', () => {
  const tcp = { check: { tcp: '127.0.0.1:8080', intervalMs: 5_000 } };

  it('the agent is asked every 10 s whether it has the service', async () => {
    const scene = await registered(tcp);
    await scene.clock.advance(20_000);
    expect(scene.news()).toEqual(['9500 service/web-1', '19000 service/web-1']);
    forget(scene.agent, 'web-1');
    await scene.clock.advance(10_000);
    expect(scene.news()).toEqual([
      '28500 service/web-1',
      '28500 service/register',
      '28500 service/web-1',
    ]);
    expect(scene.agent.services.has('web-1')).toBe(true);
    expect(scene.registration.status()).toMatchObject({ check: undefined, output: undefined });
  });

  it('a status cannot be set', async () => {
    const { registration } = await registered(tcp);
    await expect(registration.setStatus('warning')).rejects.toThrow('"status"');
  });

  it('nothing passes before the maintenance mode is back', async () => {
    const options = { check: { ...tcp.check, status: 'passing' as const } };
    const scene = await registered(options);
    await scene.registration.maintenance(true);
    forget(scene.agent, 'web-1');
    await scene.clock.advance(10_000);
    expect(scene.agent.services.get('web-1')).toMatchObject({ Checks: [{ Status: 'critical' }] });
    expect([...scene.agent.checks.keys()]).toContain('_service_maintenance:web-1');
  });
});

describe('health', () => {
  it.each<[string, () => HealthAnswer | Promise<HealthAnswer>, string, string]>([
    ['a word', () => 'warning', 'warning', ''],
    ['a report', async () => ({ status: 'warning', output: 'slow' }), 'warning', 'slow'],
    [
      'a throw',
      () => {
        throw new Error('no database');
      },
      'critical',
      'no database',
    ],
    [
      'nonsense',
      () => 'ok' as 'passing',
      'critical',
      'health() gave no status: "passing", "warning" or "critical"',
    ],
    [
      'too much',
      async () => ({ status: 'passing', output: 'x'.repeat(5_000) }),
      'passing',
      `${'x'.repeat(997)}...`,
    ],
  ])('that is %s goes with each heartbeat', async (_what, health, status, output) => {
    let answer: HealthFunction = () => 'passing';
    const scene = await registered({ health: (signal) => answer(signal) });
    expect(check(scene)).toMatchObject({ status: 'passing', output: '' });
    answer = health;
    await scene.clock.advance(4_750);
    expect(check(scene)).toMatchObject({ status, output });
    expect(scene.registration.status()).toMatchObject({ check: status, output });
    answer = () => 'passing';
    await scene.clock.advance(4_750);
    expect(check(scene)).toMatchObject({ status: 'passing', output: '' });
  });

  it('is in the registration itself', async () => {
    const scene = await registered({ health: () => 'critical' });
    expect(scene.agent.services.get('web-1')).toMatchObject({ Checks: [{ Status: 'critical' }] });
    expect(scene.agent.asked.filter(isBeat)).toMatchObject([{ body: { Status: 'critical' } }]);
  });

  it('that gives no answer in time is critical, and keeps the heartbeats going', async () => {
    const signals: AbortSignal[] = [];
    const hang = async (signal: AbortSignal): Promise<never> => {
      signals.push(signal);
      return never();
    };
    let answer: HealthFunction = () => 'passing';
    const scene = await registered({ health: (signal) => answer(signal) });
    answer = hang;
    await scene.clock.advance(7_249);
    expect(scene.news()).toEqual([]);
    await scene.clock.advance(1);
    expect(check(scene)).toMatchObject({
      status: 'critical',
      output: 'health() gave no answer within 2500 ms',
    });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    await scene.clock.advance(4_750);
    expect(scene.news()).toHaveLength(2);
  });

  it('that hangs is not called again before that call has ended', async () => {
    const hung = deferred<HealthAnswer>();
    let calls = 0;
    const scene = await registered({
      health: () => (++calls === 2 ? hung.promise : 'passing'),
    });
    await scene.clock.advance(30_000);
    expect(calls).toBe(2);
    expect(check(scene)).toMatchObject({
      status: 'critical',
      output: 'health() has not answered',
    });
    hung.resolve('passing');
    await scene.clock.advance(4_750);
    expect(calls).toBe(3);
    expect(check(scene)).toMatchObject({ status: 'passing', output: '' });
  });
});

describe('a status that is set', () => {
  it('goes at once, and stays', async () => {
    const scene = await registered();
    await scene.registration.setStatus('warning', 'disk nearly full');
    expect(check(scene)).toMatchObject({ status: 'warning', output: 'disk nearly full' });
    await scene.clock.advance(10_000);
    expect(scene.news()).toHaveLength(3);
    expect(check(scene)).toMatchObject({ status: 'warning', output: 'disk nearly full' });
    await scene.registration.setStatus('passing');
    expect(check(scene)).toMatchObject({ status: 'passing', output: '' });
  });

  it('makes nothing better than health does', async () => {
    const scene = await registered({ health: () => ({ status: 'warning', output: 'slow' }) });
    await scene.registration.setStatus('passing', 'all is well');
    expect(check(scene)).toMatchObject({ status: 'warning', output: 'slow' });
    await scene.registration.setStatus('critical', 'stopped by hand');
    expect(check(scene)).toMatchObject({ status: 'critical', output: 'stopped by hand' });
  });

  it('has its words shown where health has none', async () => {
    const scene = await registered({ health: () => 'passing' });
    await scene.registration.setStatus('passing', 'all is well');
    expect(check(scene)).toMatchObject({ status: 'passing', output: 'all is well' });
  });

  it('may be the first one', async () => {
    const scene = await registered({ check: { ttlMs: 3_000, status: 'critical' } });
    expect(check(scene)?.status).toBe('critical');
    await scene.registration.setStatus('passing');
    expect(check(scene)?.status).toBe('passing');
  });

  it('rejects when the agent cannot be told, and is told with the next heartbeat', async () => {
    const scene = await registered();
    scene.agent.behave = () => 'refuses';
    await expect(scene.registration.setStatus('warning')).rejects.toMatchObject({
      code: 'ERR_FAIRLEAD_DISCOVERY',
      message: 'Consul did not take the status of web-1: connect ECONNREFUSED',
    });
    scene.agent.behave = () => 'well';
    await scene.clock.advance(4_750);
    expect(check(scene)?.status).toBe('warning');
  });

  it('is one of three', async () => {
    const { registration } = await registered();
    await expect(registration.setStatus('bad' as 'passing')).rejects.toThrow('"status"');
  });
});

describe('maintenance', () => {
  it('goes at once, ends when told, and comes back after an agent restart without a gap', async () => {
    const scene = await registered();
    await scene.registration.maintenance(true, 'deploy');
    expect(check(scene, '_service_maintenance:web-1')?.output).toBe('deploy');
    expect(scene.registration.status().maintenance).toBe(true);
    scene.news();
    forget(scene.agent, 'web-1');
    await scene.clock.advance(4_750);
    expect(scene.news()).toEqual([
      '4750 check/update/service:web-1',
      '4750 service/register',
      '4750 service/maintenance/web-1',
      '4750 check/update/service:web-1',
    ]);
    expect(scene.agent.services.get('web-1')).toMatchObject({ Checks: [{ Status: 'critical' }] });
    await scene.registration.maintenance(false);
    expect(check(scene, '_service_maintenance:web-1')).toBeUndefined();
    expect(check(scene)?.status).toBe('passing');
  });

  it('waits for the heartbeat under way', async () => {
    const scene = await registered();
    scene.agent.behave = (asked) => (isBeat(asked) ? 'hangs' : 'well');
    await scene.clock.advance(4_750);
    scene.agent.behave = () => 'well';
    const setting = watched(scene.registration.maintenance(true));
    await settle();
    expect(scene.news()).toHaveLength(1);
    await scene.clock.advance(2_500);
    expect(setting.status).toBe('resolved');
  });
});

describe('an update', () => {
  it('registers with what is new, and keeps the rest', async () => {
    const scene = await registered({ tags: ['v1'], meta: { rack: '7' } });
    await scene.registration.update({ tags: ['v2'], weights: { passing: 5 } });
    expect(scene.agent.services.get('web-1')).toMatchObject({
      Tags: ['v2'],
      Meta: { rack: '7' },
      Weights: { Passing: 5, Warning: 1 },
    });
    expect(scene.news()).toEqual(['0 service/register', '0 check/update/service:web-1']);
  });

  it('that the agent refuses is not kept', async () => {
    const scene = await registered({ meta: { rack: '7' } });
    scene.agent.behave = () => [400, 'Invalid Service Meta'];
    await expect(scene.registration.update({ meta: { 'a b': 'c' } })).rejects.toThrow(
      'Consul did not take the update of web-1: status 400, Invalid Service Meta',
    );
    scene.agent.behave = () => 'well';
    await scene.clock.advance(4_750);
    expect(scene.agent.services.get('web-1')).toMatchObject({ Meta: { rack: '7' } });
  });

  it('that could not be told is told with the next heartbeat', async () => {
    const scene = await registered();
    scene.agent.behave = () => 'refuses';
    await expect(scene.registration.update({ tags: ['v2'] })).rejects.toThrow('ECONNREFUSED');
    expect(scene.registration.status().state).toBe('registered');
    scene.agent.behave = () => 'well';
    await scene.clock.advance(4_750);
    expect(scene.agent.services.get('web-1')).toMatchObject({ Tags: ['v2'] });
  });

  it('beside others takes nothing of theirs back', async () => {
    const scene = await registered({ meta: { rack: '7' } });
    scene.agent.behave = ({ body }) =>
      JSON.stringify(body).includes('a b') ? [400, 'Invalid Service Meta'] : 'well';
    const bad = watched(scene.registration.update({ meta: { 'a b': 'c' } }));
    const good = watched(scene.registration.update({ tags: ['v2'] }));
    await settle();
    expect([bad.status, good.status]).toEqual(['rejected', 'resolved']);
    expect(scene.agent.services.get('web-1')).toMatchObject({ Tags: ['v2'], Meta: { rack: '7' } });
  });

  it('is checked', async () => {
    const { registration } = await registered();
    await expect(registration.update({ weights: { passing: 0 } })).rejects.toThrow(
      'weights.passing',
    );
    await expect(registration.update({ port: 1 } as object)).rejects.toThrow('"port"');
  });
});

describe('a stop', () => {
  it('deregisters, lets callers hear of it, drains, and is at an end', async () => {
    const order: string[] = [];
    const drained = deferred<undefined>();
    const scene = await registered({
      drain: () => {
        order.push(`${scene.clock.now()} drain`);
        return drained.promise;
      },
    });
    scene.registration.on('stopped', ({ deregistered }) => order.push(`stopped ${deregistered}`));
    const stopping = watched(scene.registration.stop());
    await settle();
    expect(scene.news()).toEqual(['0 service/deregister/web-1']);
    expect(scene.registration.status().state).toBe('stopping');
    await scene.clock.advance(999);
    expect(order).toEqual([]);
    await scene.clock.advance(1);
    expect(order).toEqual(['1000 drain']);
    await scene.clock.advance(20_000);
    expect(stopping.status).toBe('pending');
    drained.resolve(undefined);
    await settle();
    expect(stopping.status).toBe('resolved');
    expect(order).toEqual(['1000 drain', 'stopped true']);
    expect(scene.registration.status().state).toBe('stopped');
    expect(scene.clock.pendingTimers).toBe(0);
    await scene.clock.advance(60_000);
    expect(scene.news()).toEqual([]);
  });

  it('may be asked for twice, and by disposal', async () => {
    const scene = await registered();
    const stops = [scene.registration.stop({ settleMs: 0 }), scene.registration.stop()];
    stops.push(scene.registration[Symbol.asyncDispose]());
    await scene.clock.advance(0);
    await Promise.all(stops);
    expect(scene.news()).toEqual(['0 service/deregister/web-1']);
  });

  it.each(['refuses', 'hangs', [500, 'No cluster leader']] as const)(
    'of an agent that %o takes 3 s and the settling, and throws nothing',
    async (behaviour) => {
      const scene = await registered({ settleMs: 500 });
      const stopped: boolean[] = [];
      scene.registration.on('stopped', ({ deregistered }) => stopped.push(deregistered));
      scene.agent.behave = () => behaviour;
      const stopping = watched(scene.registration.stop());
      await scene.clock.advance(3_499);
      expect(stopping.status).toBe('pending');
      expect(scene.news().length).toBeLessThan(12);
      await scene.clock.advance(1);
      expect(stopping.status).toBe('resolved');
      expect(stopped).toEqual([false]);
      expect(scene.registration.status().lastFault).toMatch(/no whole reply|ECONNREFUSED|leader/);
      expect(scene.clock.pendingTimers).toBe(0);
    },
  );

  it('does not retry what only another token helps', async () => {
    const scene = await registered({ settleMs: 0 });
    scene.agent.behave = () => [403, 'ACL not found'];
    const stopping = watched(scene.registration.stop());
    await scene.clock.advance(0);
    expect(stopping.status).toBe('resolved');
    expect(scene.news()).toHaveLength(1);
  });

  it('cuts a heartbeat that hangs, so that it cannot come after', async () => {
    const scene = await registered({ settleMs: 0 });
    scene.agent.behave = (asked) => (isBeat(asked) ? 'hangs' : 'well');
    await scene.clock.advance(4_750);
    const stopping = watched(scene.registration.stop());
    await scene.clock.advance(499);
    expect(scene.news()).toEqual(['4750 check/update/service:web-1']);
    await scene.clock.advance(1);
    expect(scene.news()).toEqual(['5250 service/deregister/web-1']);
    await scene.clock.advance(0);
    expect(stopping.status).toBe('resolved');
  });

  it('does not register again what was lost meanwhile', async () => {
    const answered = deferred<HealthAnswer>();
    let answer: HealthFunction = () => 'passing';
    const scene = await registered({ health: (signal) => answer(signal) });
    answer = () => answered.promise;
    await scene.clock.advance(4_750);
    forget(scene.agent, 'web-1');
    const stopping = watched(scene.registration.stop());
    answered.resolve('passing');
    await scene.clock.advance(1_000);
    expect(stopping.status).toBe('resolved');
    expect(scene.news()).toEqual(['4750 service/deregister/web-1']);
  });

  it('rejects with what drain throws, when all is closed', async () => {
    const scene = await registered();
    const faults: unknown[] = [];
    scene.registration.on('fault', ({ message }) => faults.push(message));
    const error = new Error('sockets stuck');
    const stopping = watched(scene.registration.stop({ drain: () => Promise.reject(error) }));
    await scene.clock.advance(1_000);
    expect(stopping.error).toBe(error);
    expect(faults).toEqual(['drain failed: sockets stuck']);
    expect(scene.registration.status().state).toBe('stopped');
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it('does not wait for ever for drain', async () => {
    const scene = await registered({ drainTimeoutMs: 2_000 });
    let signal: AbortSignal | undefined;
    const drain = (given: AbortSignal) => {
      signal = given;
      return never();
    };
    const stopping = watched(scene.registration.stop({ drain }));
    await scene.clock.advance(2_999);
    expect(stopping.status).toBe('pending');
    await scene.clock.advance(1);
    expect(stopping.error).toMatchObject({ code: 'ERR_FAIRLEAD_DEADLINE_EXCEEDED' });
    expect(signal?.aborted).toBe(true);
  });

  it('goes on when the one who waits gives up', async () => {
    const scene = await registered();
    const controller = new AbortController();
    const stopping = watched(scene.registration.stop({ signal: controller.signal }));
    controller.abort(new Error('enough'));
    await settle();
    expect(stopping.error).toBe(controller.signal.reason);
    await scene.clock.advance(1_000);
    expect(scene.registration.status().state).toBe('stopped');
  });

  it('ends all else', async () => {
    const scene = await registered();
    const { registration } = scene;
    const waiting = registration.stop();
    for (const late of [
      registration.setStatus('passing'),
      registration.maintenance(true),
      registration.update({}),
    ]) {
      await expect(late).rejects.toMatchObject({ code: 'ERR_FAIRLEAD_CLOSED' });
    }
    await scene.clock.advance(1_000);
    await waiting;
  });

  it('has its options checked', async () => {
    const { registration } = await registered();
    await expect(registration.stop({ settleMs: -1 })).rejects.toThrow('"settleMs"');
    await expect(registration.stop({ wait: 1 } as object)).rejects.toThrow('"wait"');
    for (const signal of ['x', {}, null]) {
      await expect(registration.stop({ signal } as object)).rejects.toMatchObject({
        code: 'ERR_FAIRLEAD_INVALID_OPTION',
        message: expect.stringContaining('"signal" must be an AbortSignal'),
      });
    }
    expect(registration.status().state).toBe('registered');
  });
});

describe('the status', () => {
  it('tells how it stands, as plain JSON', async () => {
    const scene = await registered({ token: 'hunter2' });
    scene.agent.behave = () => [500, 'rpc error for hunter2'];
    await scene.clock.advance(5_000);
    const status = scene.registration.status();
    expect(JSON.parse(JSON.stringify(status))).toEqual(status);
    expect(status).toEqual({
      id: 'web-1',
      name: 'web',
      agent: 'Consul',
      state: 'registered',
      check: 'passing',
      output: '',
      maintenance: false,
      confirmedAgoMs: 5_000,
      failures: 2,
      lastFault: 'status 500, rpc error for ***',
    });
  });
});

describe('listeners', () => {
  it('can be taken away, and harm nothing', async () => {
    const scene = await registered();
    let heard = 0;
    const off = scene.registration.on('fault', () => heard++);
    off();
    scene.registration.on('fault', () => {
      throw new Error('bad listener');
    });
    scene.agent.behave = () => 'refuses';
    const uncaught = await collectUncaught(() => scene.clock.advance(4_750));
    expect(uncaught).toMatchObject([{ message: 'bad listener' }]);
    expect(heard).toBe(0);
    expect(() => scene.registration.on('end' as 'lost', () => {})).toThrow('"name"');
  });
});
