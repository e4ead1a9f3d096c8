import { describe, expect, it } from 'vitest';
import { rendezvous } from '../../src/policies/rendezvous.js';
import { sticky } from '../../src/policies/sticky.js';
import type { Picker } from '../../src/types.js';
import { candidate, weighted } from '../support/candidates.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';
import { build, choices, equal, homes, idFor, keyed, keys } from './hashing-rig.js';

function at(picker: Picker, key: string, nowMs: number): string | undefined {
  return picker.pick(keyed(key, [], { nowMs }))?.instance.id;
}

/** The first key that rendezvous moves when `c<n>` joins `n` equals. */
function mover(n: number): string {
  const [before, after] = [build(rendezvous(), equal(n)), build(rendezvous(), equal(n + 1))];
  const key = keys(1_000).find((one) => idFor(before, one) !== idFor(after, one));
  if (key === undefined) throw new Error('some key moves');
  return key;
}

describe('a session', () => {
  it('begins where rendezvous puts it, in every process', () => {
    const list = weighted(1, 2, 3, 4);
    const all = keys(300);
    const expected = homes(build(rendezvous(), list), all);
    expect(homes(build(sticky(), list), all)).toEqual(expected);
    expect(homes(build(sticky(), list.toReversed()), all)).toEqual(expected);
  });

  it('stays when instances join, while new sessions take them into account', () => {
    const all = keys(500);
    const policy = sticky();
    let picker = build(policy, equal(3));
    const before = homes(picker, all);
    for (let n = 4; n <= 8; n++) picker = build(policy, equal(n), picker);
    expect(homes(picker, all)).toEqual(before);
    const fresh = all.map((key) => `new-${key}`);
    expect(homes(picker, fresh)).toEqual(homes(build(rendezvous(), equal(8)), fresh));
  });

  it('stays when weights change and the list is ordered anew', () => {
    const all = keys(200);
    const policy = sticky();
    const first = build(policy, weighted(1, 1, 1));
    const before = homes(first, all);
    const later = build(policy, weighted(9, 1, 2).toReversed(), first);
    expect(homes(later, all)).toEqual(before);
  });

  it('moves when its instance is no candidate any more, and alone; it does not come back', () => {
    const all = keys(500);
    const policy = sticky();
    const first = build(policy, equal(4));
    const before = homes(first, all);
    const rest = equal(4).slice(1);
    const second = build(policy, rest, first);
    const during = homes(second, all);
    during.forEach((id, i) => {
      if (before[i] !== 'c0') expect(id).toBe(before[i]);
    });
    expect(during).toEqual(homes(build(rendezvous(), rest), all));
    const third = build(policy, equal(4), second);
    expect(homes(third, all)).toEqual(during);
  });

  it('that made no call while its instance was away finds it again', () => {
    const policy = sticky();
    const key = mover(3);
    const first = build(policy, equal(3));
    const home = idFor(first, key);
    const away = build(
      policy,
      equal(4).filter(({ instance }) => instance.id !== home),
      first,
    );
    expect(idFor(build(policy, equal(4), away), key)).toBe(home);
  });

  it('moves away from an instance that is draining', () => {
    const policy = sticky();
    const first = build(policy, weighted(1, 1));
    const key = keys(50).find((one) => idFor(first, one) === 'c0') ?? '';
    expect(idFor(build(policy, weighted(0, 1), first), key)).toBe('c1');
  });

  it('is kept through an empty list', () => {
    const policy = sticky();
    const key = mover(3);
    const first = build(policy, equal(3));
    const home = idFor(first, key);
    const empty = build(policy, [], first);
    expect(idFor(empty, key)).toBe('none');
    expect(idFor(build(policy, equal(4), empty), key)).toBe(home);
  });

  it('is known to one client only: a policy may serve several', () => {
    const policy = sticky();
    const key = mover(3);
    const one = build(policy, equal(3));
    idFor(one, key);
    expect(idFor(build(policy, equal(4)), key)).toBe('c3');
    expect(idFor(build(policy, equal(4), { pick: () => undefined }), key)).toBe('c3');
  });
});

describe('an excluded instance', () => {
  it('turns the attempt aside to the next of rendezvous, and the session stays', () => {
    const list = weighted(1, 2, 3, 4);
    const picker = build(sticky(), list);
    const plain = build(rendezvous(), list);
    for (const key of keys(100)) {
      const order = choices(plain, key, 4);
      expect(choices(picker, key, 4)).toEqual(order);
      expect(idFor(picker, key)).toBe(order[0]);
    }
  });

  it('of a session that rendezvous would put elsewhere: the attempt goes there', () => {
    const policy = sticky();
    const key = mover(3);
    const first = build(policy, equal(3));
    const home = idFor(first, key);
    const grown = build(policy, equal(4), first);
    expect(idFor(grown, key, [home])).toBe('c3');
    expect(idFor(grown, key)).toBe(home);
  });

  it('is where a new session is at home nonetheless', () => {
    const picker = build(sticky(), equal(5));
    const plain = build(rendezvous(), equal(5));
    for (const key of keys(50)) {
      const [first = '', second] = choices(plain, key, 2);
      expect(idFor(picker, key, [first])).toBe(second);
      expect(idFor(picker, key)).toBe(first);
    }
  });
});

describe('forgetting', () => {
  it('beyond maxSessions drops the one unused for longest', () => {
    const policy = sticky({ maxSessions: 2 });
    const key = mover(3);
    const home = idFor(build(rendezvous(), equal(3)), key);
    const survives = (...used: string[]): boolean => {
      const first = build(policy, equal(3));
      for (const one of used) idFor(first, one);
      return idFor(build(policy, equal(4), first), key) === home;
    };
    expect(survives(key, 'a')).toBe(true);
    expect(survives(key, 'a', 'b')).toBe(false);
    expect(survives(key, 'a', key, 'b')).toBe(true);
    expect(survives(key, 'a', key, 'b', 'c')).toBe(false);
    expect(survives(key, 'a', 'a', 'a')).toBe(true);
  });

  it('remembers 10,000 by default', () => {
    const key = mover(3);
    const policy = sticky();
    const survives = (others: number): boolean => {
      const first = build(policy, equal(3));
      const home = idFor(first, key);
      for (let i = 0; i < others; i++) idFor(first, `other-${i}`);
      return idFor(build(policy, equal(4), first), key) === home;
    };
    expect(survives(9_999)).toBe(true);
    expect(survives(10_000)).toBe(false);
  });

  it.each([
    [sticky({ idleMs: 1_000 }), 1_000],
    [sticky(), 1_800_000],
  ])('drops what was idle for idleMs, counted from the last use', (policy, idleMs) => {
    const key = mover(3);
    const first = build(policy, equal(3));
    const home = at(first, key, 50);
    const grown = build(policy, equal(4), first);
    expect(at(grown, key, 50 + idleMs - 1)).toBe(home);
    expect(at(grown, key, 50 + 2 * idleMs - 2)).toBe(home);
    expect(at(grown, key, 50 + 3 * idleMs - 2)).toBe('c3');
    // Placed anew: it is a session of now.
    expect(at(build(policy, equal(3), grown), key, 50 + 3 * idleMs)).toBe(home);
  });
});

describe('balanceFactor', () => {
  it('bounds where a session is placed; there it stays, also when the load has gone', () => {
    const list = equal(4);
    const picker = build(sticky({ balanceFactor: 1.25 }), list);
    const [first, second] = choices(build(rendezvous(), list), 'x', 2);
    const busy = list.find(({ instance }) => instance.id === first);
    if (!busy) throw new Error('a first choice');
    busy.state.pending = 5;
    expect(picker.pick(keyed('x', [], { inFlight: 5 }))?.instance.id).toBe(second);
    busy.state.pending = 0;
    expect(idFor(picker, 'x')).toBe(second);
  });

  it('does not move a session from a busy instance', () => {
    const list = equal(4);
    const picker = build(sticky({ balanceFactor: 1.25 }), list);
    const home = idFor(picker, 'x');
    for (const { state } of list) state.pending = 50;
    expect(picker.pick(keyed('x', [], { inFlight: 51 }))?.instance.id).toBe(home);
  });

  it('bounds where an attempt turns aside to', () => {
    const list = equal(4);
    const picker = build(sticky({ balanceFactor: 1.25 }), list);
    const [home = '', second, third] = choices(build(rendezvous(), list), 'x', 3);
    const busy = list.find(({ instance }) => instance.id === second);
    if (!busy) throw new Error('a second choice');
    busy.state.pending = 5;
    expect(picker.pick(keyed('x', [home], { inFlight: 5 }))?.instance.id).toBe(third);
  });
});

describe('options', () => {
  it.each([
    ['maxSessions', 0],
    ['maxSessions', 1.5],
    ['maxSessions', 10_000_001],
    ['maxSessions', '5'],
    ['idleMs', 0],
    ['idleMs', -1],
    ['idleMs', Infinity],
    ['idleMs', 2_147_483_648],
  ])('refuses %s %s', (option, value) => {
    expectInvalidOption(
      thrownBy(() => sticky({ [option]: value })),
      `sticky.${option}`,
      value,
    );
  });

  it('takes a session whose instance has an id like any other', () => {
    const list = [candidate('__proto__'), candidate('constructor')];
    const picker = build(sticky(), list);
    for (const key of ['__proto__', 'toString'])
      expect(idFor(picker, key)).toBe(idFor(picker, key));
  });
});
