import { describe, expect, it } from 'vitest';
import { createShutdownSignals } from '../../adapters/consul/registration/shutdown-signals.js';
import { settle } from '../../src/testing/manual-clock.js';
import { deferred } from '../support/promises.js';
import { fakeProcess, registered } from './consul-registration-scene.js';

describe('a registration with signals', () => {
  it('stops on the first, then lets the process end by it', async () => {
    const order: string[] = [];
    const scene = await registered({ signals: true, drain: async () => order.push('drain') });
    expect([scene.process.listeners('SIGTERM'), scene.process.listeners('SIGINT')]).toEqual([1, 1]);
    scene.process.send('SIGTERM');
    await scene.clock.advance(999);
    expect(scene.agent.services.size).toBe(0);
    expect(scene.process.killed).toEqual([]);
    await scene.clock.advance(1);
    expect(order).toEqual(['drain']);
    expect(scene.process.killed).toEqual(['SIGTERM']);
    expect([scene.process.listeners('SIGTERM'), scene.process.listeners('SIGINT')]).toEqual([0, 0]);
  });

  it('lets the process end at once by a second, of any kind', async () => {
    const scene = await registered({ signals: true });
    scene.process.send('SIGTERM');
    await settle();
    scene.process.send('SIGINT');
    expect(scene.process.killed).toEqual(['SIGINT']);
    await scene.clock.advance(1_000);
    expect(scene.process.killed).toEqual(['SIGINT']);
  });

  it('lets the process end though its drain fails', async () => {
    const drain = () => Promise.reject(new Error('stuck'));
    const scene = await registered({ signals: ['SIGHUP'], drain });
    scene.process.send('SIGHUP');
    await scene.clock.advance(1_000);
    expect(scene.process.killed).toEqual(['SIGHUP']);
  });

  it('hears them during a stop, and not after', async () => {
    const scene = await registered({ signals: true });
    const stopping = scene.registration.stop();
    await settle();
    scene.process.send('SIGTERM');
    expect(scene.process.killed).toEqual([]);
    await scene.clock.advance(1_000);
    await stopping;
    expect(scene.process.killed).toEqual(['SIGTERM']);

    const other = await registered({ signals: true });
    const stopped = other.registration.stop();
    await other.clock.advance(1_000);
    await stopped;
    expect([other.process.listeners('SIGTERM'), other.process.listeners('SIGINT')]).toEqual([0, 0]);
    expect(other.process.killed).toEqual([]);
  });
});

it('without signals listens for none', async () => {
  const scene = await registered();
  expect([scene.process.listeners('SIGTERM'), scene.process.listeners('SIGINT')]).toEqual([0, 0]);
});

describe('several that guard', () => {
  it('have all stopped before the process ends, those of other signals untouched', async () => {
    const process = fakeProcess();
    const signals = createShutdownSignals(process);
    const stops = [deferred<undefined>(), deferred<undefined>()];
    const unguards = stops.map(({ promise }) => signals.guard(['SIGTERM'], () => promise));
    let hungUp = 0;
    signals.guard(['SIGHUP'], async () => {
      hungUp++;
    });
    expect(process.listeners('SIGTERM')).toBe(1);
    process.send('SIGTERM');
    stops[0]?.resolve(undefined);
    unguards[0]?.();
    await settle();
    expect(process.killed).toEqual([]);
    expect(process.listeners('SIGTERM')).toBe(1);
    stops[1]?.resolve(undefined);
    unguards[1]?.();
    await settle();
    expect(process.killed).toEqual(['SIGTERM']);
    expect([process.listeners('SIGTERM'), process.listeners('SIGHUP')]).toEqual([0, 1]);

    // The application lived on, by a listener of its own: what still guards goes on to.
    process.send('SIGHUP');
    await settle();
    expect(hungUp).toBe(1);
    expect(process.killed).toEqual(['SIGTERM', 'SIGHUP']);
  });

  it('listen until the last is gone', () => {
    const process = fakeProcess();
    const signals = createShutdownSignals(process);
    const unguards = [1, 2].map(() => signals.guard(['SIGTERM', 'SIGINT'], async () => {}));
    unguards[0]?.();
    expect(process.listeners('SIGINT')).toBe(1);
    unguards[1]?.();
    expect([process.listeners('SIGTERM'), process.listeners('SIGINT')]).toEqual([0, 0]);
  });
});
