import { afterEach, describe, expect, it, vi } from 'vitest';
import { resolveStages, type StagesOptions } from '../src/topology-options.js';
import { expectInvalidOption } from './support/errors.js';
import { thrownBy } from './support/promises.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

function refusal(stages: unknown): unknown {
  return thrownBy(() => resolveStages(stages as StagesOptions));
}

describe('defaults', () => {
  it('are those of the documentation: priorities spill, zones and subsets are off', () => {
    expect(resolveStages()).toEqual({
      priority: {
        mode: 'spill',
        minMembers: 1,
        overprovisioningFactor: 1.4,
        holdDownMs: 10_000,
        rampMs: 30_000,
      },
      zone: undefined,
      subset: undefined,
    });
  });

  it('of a zone are 6 instances and 3 % probes', () => {
    expect(resolveStages({ zone: { local: 'a' } }).zone).toEqual({
      local: 'a',
      minInstances: 6,
      probeRatio: 0.03,
      callers: undefined,
    });
  });

  it.each([true, {}])('stand for %s', (on) => {
    vi.stubEnv('FAIRLEAD_ZONE', 'eu-1');
    expect(resolveStages({ priority: on }).priority).toEqual(resolveStages().priority);
    expect(resolveStages({ zone: on }).zone?.local).toBe('eu-1');
  });

  it('false turns a stage off', () => {
    expect(resolveStages({ priority: false, zone: false, subset: false })).toEqual({
      priority: undefined,
      zone: undefined,
      subset: undefined,
    });
  });
});

describe('a subset is', () => {
  it('seeded by chance, by a name, or an aperture', () => {
    const subset = (options: StagesOptions['subset']) => resolveStages({ subset: options }).subset;
    expect(subset({ size: 5 })).toEqual({ size: 5, seed: undefined });
    expect(subset({ size: 5, seed: 'me' })).toEqual({ size: 5, seed: 'me' });
    expect(subset({ size: 5, index: 0, total: 3 })).toEqual({ size: 5, index: 0, total: 3 });
  });
});

describe('the zone', () => {
  it('of the option comes before that of the environment', () => {
    vi.stubEnv('FAIRLEAD_ZONE', 'eu-1');
    expect(resolveStages({ zone: { local: 'eu-2' } }).zone?.local).toBe('eu-2');
  });

  it('can be a function', () => {
    const local = (): string => 'eu-3';
    expect(resolveStages({ zone: { local } }).zone?.local).toBe(local);
  });

  it.each([undefined, ''])('is refused when there is none (%s)', (variable) => {
    vi.stubEnv('FAIRLEAD_ZONE', variable);
    expectInvalidOption(refusal({ zone: true }), 'stages.zone.local', undefined);
  });
});

describe('options are refused by name and value', () => {
  const zone = { local: 'a' };
  it.each<[string, unknown, unknown]>([
    ['stages.order', { order: 5 }, 5],
    ['stages.priority', { priority: 5 }, 5],
    ['stages.priority', { priority: null }, null],
    ['stages.priority.modus', { priority: { modus: 5 } }, 5],
    ['stages.priority.mode', { priority: { mode: 'both' } }, 'both'],
    ['stages.priority.minMembers', { priority: { mode: 'strict', minMembers: 0 } }, 0],
    ['stages.priority.minMembers', { priority: { mode: 'strict', minMembers: 1.5 } }, 1.5],
    ['stages.priority.minMembers', { priority: { minMembers: 2 } }, 2],
    ['stages.priority.overprovisioningFactor', { priority: { overprovisioningFactor: 0.9 } }, 0.9],
    ['stages.priority.holdDownMs', { priority: { holdDownMs: -1 } }, -1],
    ['stages.priority.holdDownMs', { priority: { holdDownMs: Infinity } }, Infinity],
    ['stages.priority.rampMs', { priority: { rampMs: NaN } }, NaN],
    ['stages.zone', { zone: 'a' }, 'a'],
    ['stages.zone.local', { zone: { local: 5 } }, 5],
    ['stages.zone.minInstances', { zone: { ...zone, minInstances: 0 } }, 0],
    ['stages.zone.probeRatio', { zone: { ...zone, probeRatio: 1.1 } }, 1.1],
    ['stages.zone.callers', { zone: { ...zone, callers: [1] } }, [1]],
    ['stages.zone.callers', { zone: { ...zone, callers: { a: 0 } } }, { a: 0 }],
    ['stages.zone.callers.b', { zone: { ...zone, callers: { a: 1, b: -1 } } }, -1],
    ['stages.subset.size', { subset: {} }, undefined],
    ['stages.subset.size', { subset: { size: 0 } }, 0],
    ['stages.subset', { subset: true }, true],
    ['stages.subset.seed', { subset: { size: 1, seed: '' } }, ''],
    ['stages.subset.seed', { subset: { size: 1, seed: 's', index: 0, total: 1 } }, 's'],
    ['stages.subset.total', { subset: { size: 1, index: 0 } }, undefined],
    ['stages.subset.index', { subset: { size: 1, total: 2 } }, undefined],
    ['stages.subset.index', { subset: { size: 1, index: 2, total: 2 } }, 2],
  ])('%s: %j', (option, stages, value) => {
    expectInvalidOption(refusal(stages), option, value);
  });
});
