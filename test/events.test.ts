import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { Events, type FairleadEvents } from '../src/events.js';
import { collectUncaught } from './support/promises.js';

const CLOSED: FairleadEvents['breaker.closed'] = { service: 'orders', instanceId: 'a' };

describe('Events', () => {
  it('refuses a name that is none, and lists those there are', () => {
    const events = new Events();
    expect(() => events.on('breaker.open' as 'breaker.opened', () => undefined)).toThrow(
      /"name" must be one of instances.changed, .*breaker.opened.*; got "breaker.open"/,
    );
  });

  it('hands the event to every listener of its name, and to no other', () => {
    const events = new Events();
    const heard: string[] = [];
    events.on('breaker.closed', (event) => heard.push(`one ${event.instanceId}`));
    events.on('breaker.closed', (event) => heard.push(`two ${event.instanceId}`));
    events.on('breaker.half-opened', () => heard.push('other'));
    events.emit('breaker.closed', CLOSED);
    expect(heard).toEqual(['one a', 'two a']);
  });

  it('stops handing on once unsubscribed', () => {
    const events = new Events();
    let heard = 0;
    const off = events.on('breaker.closed', () => heard++);
    events.emit('breaker.closed', CLOSED);
    off();
    events.emit('breaker.closed', CLOSED);
    expect(heard).toBe(1);
  });

  it('knows whether anybody listens', () => {
    const events = new Events();
    expect(events.hears('breaker.closed')).toBe(false);
    const off = events.on('breaker.closed', () => undefined);
    expect(events.hears('breaker.closed')).toBe(true);
    expect(events.hears('breaker.opened')).toBe(false);
    off();
    expect(events.hears('breaker.closed')).toBe(false);
  });

  it('publishes on diagnostics_channel, which counts as listening', () => {
    const events = new Events();
    const published: unknown[] = [];
    const onMessage = (message: unknown): void => {
      published.push(message);
    };
    subscribe('fairlead:breaker.closed', onMessage);
    try {
      expect(events.hears('breaker.closed')).toBe(true);
      events.emit('breaker.closed', CLOSED);
    } finally {
      unsubscribe('fairlead:breaker.closed', onMessage);
    }
    events.emit('breaker.closed', CLOSED);
    expect(published).toEqual([CLOSED]);
    expect(events.hears('breaker.closed')).toBe(false);
  });

  it('surfaces what a listener throws as uncaught, not at the emitter', async () => {
    const events = new Events();
    const error = new Error('listener');
    events.on('breaker.closed', () => {
      throw error;
    });
    const uncaught = await collectUncaught(async () => {
      expect(() => events.emit('breaker.closed', CLOSED)).not.toThrow();
    });
    expect(uncaught).toEqual([error]);
  });

  it('tells the other listeners although one throws', async () => {
    const events = new Events();
    let heard = 0;
    events.on('breaker.closed', () => {
      throw new Error('listener');
    });
    events.on('breaker.closed', () => heard++);
    await collectUncaught(async () => {
      events.emit('breaker.closed', CLOSED);
    });
    expect(heard).toBe(1);
  });

  it('warns of no leak however many listen', () => {
    const events = new Events();
    const warned: unknown[] = [];
    const onWarning = (warning: unknown): void => {
      warned.push(warning);
    };
    process.on('warning', onWarning);
    for (let i = 0; i < 50; i++) events.on('breaker.closed', () => undefined);
    return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      process.off('warning', onWarning);
      expect(warned).toEqual([]);
    });
  });

  it('forgets every listener on removeAll', () => {
    const events = new Events();
    events.on('breaker.closed', () => {
      throw new Error('still there');
    });
    events.removeAll();
    events.emit('breaker.closed', CLOSED);
    expect(events.hears('breaker.closed')).toBe(false);
  });
});
