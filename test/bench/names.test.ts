import { expect, it } from 'vitest';
import { MEASURED, NAMES, usage, wantedOf } from '../../bench/names.js';

it('hands the options on to the benchmark that is named', () => {
  expect(wantedOf(['call', '--quick'])).toEqual({ name: 'call', options: ['--quick'] });
  expect(wantedOf(['report'])).toEqual({ name: 'report', options: [] });
});

it.each([[[]], [['--quick']]])('takes all where none is named: %j', (args) => {
  expect(wantedOf(args)).toEqual({ name: undefined, options: args });
});

it.each(['--help', '-h', 'help'])('helps at %s', (first) => {
  expect(wantedOf([first]).name).toBe('help');
});

it.each(['picks', 'toString', ''])('names what there is when asked for %j', (first) => {
  const { problem } = wantedOf([first]);
  for (const name of [...Object.keys(NAMES), 'report']) expect(problem).toContain(name);
});

it('says what each does', () => {
  for (const [name, what] of Object.entries(NAMES))
    expect(usage()).toMatch(`${name.padEnd(10)}${what}`);
  expect(Object.keys(NAMES)).toEqual(expect.arrayContaining([...MEASURED]));
});
