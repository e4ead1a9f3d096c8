import { expect, it } from 'vitest';
import { Sessions } from '../../src/policies/sessions.js';

it('remembers where a session is', () => {
  const sessions = new Sessions(10, 100);
  expect(sessions.use('a', 0)).toBeUndefined();
  sessions.bind('a', 'one', 0);
  sessions.bind('b', 'two', 0);
  sessions.bind('a', 'three', 1);
  expect(sessions.use('a', 1)).toBe('three');
  expect(sessions.use('b', 1)).toBe('two');
  expect(sessions.size).toBe(2);
});

it('holds maxSessions at most, those used last', () => {
  const sessions = new Sessions(3, 100);
  for (const key of ['a', 'b', 'c']) sessions.bind(key, 'x', 0);
  sessions.use('a', 1);
  sessions.bind('d', 'x', 2);
  expect(['a', 'b', 'c', 'd'].map((key) => sessions.use(key, 3))).toEqual([
    'x',
    undefined,
    'x',
    'x',
  ]);
  expect(sessions.size).toBe(3);
});

it('lets all that are over go when another comes, and no sooner', () => {
  const sessions = new Sessions(10, 100);
  sessions.bind('used', 'x', 0);
  sessions.bind('idle', 'x', 0);
  sessions.bind('idle too', 'x', 10);
  sessions.use('used', 50);
  expect(sessions.use('idle', 100)).toBeUndefined();
  expect(sessions.size).toBe(3);
  sessions.bind('new', 'x', 110);
  expect(sessions.size).toBe(2);
  expect(sessions.use('used', 149)).toBe('x');
});
