import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSnapshot, toInstance } from '../src/discovery.js';
import { saysTheSame } from '../src/same-instance.js';
import type { Instance, InstanceSpec } from '../src/types.js';

const FULL = {
  id: 'a',
  host: 'h',
  port: 80,
  protocol: 'https',
  weight: 2,
  priority: 1,
  locality: { region: 'r', zone: 'z' },
  tags: ['x', 'y'],
  metadata: { build: '7' },
};

describe('saysTheSame', () => {
  it('knows any entry again, whatever it leaves to the defaults', () => {
    const word = fc.string({ minLength: 1 });
    const spec = fc.record(
      {
        host: fc.constantFrom('h', '10.0.0.1', '2001:db8::1', 'a.example'),
        port: fc.integer({ min: 1, max: 65_535 }),
        id: word,
        protocol: fc.constantFrom('http', 'https', 'tcp'),
        weight: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
        priority: fc.nat(),
        locality: fc.record({ region: word, zone: word }, { requiredKeys: [] }),
        tags: fc.array(fc.string()),
        metadata: fc.dictionary(word, fc.string(), { noNullPrototype: true }),
      },
      { requiredKeys: ['host', 'port'] },
    );
    fc.assert(
      fc.property(spec, (given) => {
        const known = toInstance(given, 'x');
        expect(saysTheSame(given, known)).toBe(true);
        expect(saysTheSame(structuredClone(given), known)).toBe(true);
        expect(saysTheSame({ ...known }, known)).toBe(true);
      }),
    );
  });

  it.each<[string, unknown]>([
    ['id', 'b'],
    ['id', undefined],
    ['id', 7],
    ['host', 'g'],
    ['port', 81],
    ['port', '80'],
    ['protocol', 'http'],
    ['protocol', undefined],
    ['weight', 1],
    ['weight', NaN],
    ['weight', undefined],
    ['priority', 0],
    ['priority', null],
    ['locality', undefined],
    ['locality', null],
    ['locality', { region: 'r' }],
    ['locality', { region: 'r', zone: 'y' }],
    ['tags', undefined],
    ['tags', null],
    ['tags', ['x']],
    ['tags', ['y', 'x']],
    ['tags', ['x', 'y', 'z']],
    ['tags', 'xy'],
    ['metadata', undefined],
    ['metadata', null],
    ['metadata', {}],
    ['metadata', { build: '8' }],
    ['metadata', { build: '7', more: '' }],
    ['metadata', { other: '7' }],
  ])('tells another %s: %j', (field, value) => {
    const known = toInstance(FULL, 'x');
    expect(saysTheSame({ ...FULL, [field]: value }, known)).toBe(false);
  });

  it.each([undefined, null, 'h:80', [], 7])('takes no %j for an instance', (entry) => {
    expect(saysTheSame(entry, toInstance({ host: 'h', port: 80 }, 'x'))).toBe(false);
  });

  it('tells an id given from one that is the address, at either side', () => {
    const byAddress = toInstance({ host: 'h', port: 80 }, 'x');
    const named = toInstance({ host: 'h', port: 80, id: '80' }, 'x');
    expect(saysTheSame({ host: 'h', port: 80, id: 'h:80' }, byAddress)).toBe(true);
    expect(saysTheSame({ host: 'h', port: 80 }, named)).toBe(false);
  });
});

describe('a list that is read again', () => {
  const specs: readonly InstanceSpec[] = ['a', 'b', 'c'].map((host) => ({ host, port: 80 }));
  const read = (instances: readonly unknown[], known?: ReadonlyMap<string, Instance>) => {
    const list = readSnapshot({ kind: 'instances', instances }, () => undefined, known);
    if (list === 'not-found') throw new Error('no list');
    return list;
  };

  it('is the one that is known, where it says the same', () => {
    const known = read(specs);
    expect(read(structuredClone(specs), known)).toBe(known);
    expect(read(specs.slice(1), known)).not.toBe(known);
    expect(read([...specs].reverse(), known)).not.toBe(known);
  });

  it('keeps the instances of entries that say the same, and reads the others', () => {
    const known = read(specs);
    const list = read(
      [
        { host: 'd', port: 80 },
        { host: 'c', port: 80 },
        { host: 'a', port: 80, weight: 2 },
      ],
      known,
    );
    expect([...list.keys()]).toEqual(['d:80', 'c:80', 'a:80']);
    expect(list.get('c:80')).toBe(known.get('c:80'));
    expect(list.get('a:80')).toMatchObject({ host: 'a', weight: 2 });
  });

  it('drops an entry that is repeated, though it is known', () => {
    const known = read(specs);
    expect([...read([...specs, { host: 'a', port: 80 }], known).keys()]).toEqual([
      'a:80',
      'b:80',
      'c:80',
    ]);
  });
});
