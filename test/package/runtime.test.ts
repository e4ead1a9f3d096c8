import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, inject, test } from 'vitest';

const run = promisify(execFile);

// The oldest supported Node cannot `require` an ES module; newer ones are told not to.
const noRequireOfEsm = process.allowedNodeEnvironmentFlags.has('--experimental-require-module')
  ? ['--no-experimental-require-module']
  : [];

test.each([
  ['ESM', 'consumer.mjs'],
  ['CommonJS', 'consumer.cjs'],
])('a %s consumer makes calls through every subpath and exits by itself', async (_, file) => {
  const { stdout } = await run(process.execPath, [...noRequireOfEsm, file], {
    cwd: inject('full'),
    timeout: 20_000,
  });
  expect(JSON.parse(stdout)).toEqual({
    paths: ['/call', '/fetch', '/axios', '/undici', '/agent'],
    ready: 200,
    adapters: ['static', 'consul'],
    clockStartsAt: 0,
    otherCopy: {
      recognised: true,
      code: 'ERR_FAIRLEAD_INVALID_OPTION',
      sameClass: false,
      sameClassInItsOwnCopy: true,
    },
  });
});

test.each([
  ['import', '(name) => import(name)'],
  ['require', "createRequire(process.cwd() + '/x.js')"],
])('%s of what wraps no package of its own needs none', async (_, load) => {
  const script = `
    import { createRequire } from 'node:module';
    const load = ${load};
    for (const subpath of ['', '/static', '/consul', '/fetch', '/http', '/server', '/testing']) {
      const exported = await load('fairlead' + subpath);
      console.log(Object.keys(exported).length > 0);
    }`;
  const { stdout } = await run(
    process.execPath,
    [...noRequireOfEsm, '--input-type=module', '--eval', script],
    { cwd: inject('core'), timeout: 20_000 },
  );
  expect(stdout.trim().split('\n')).toEqual(Array(7).fill('true'));
});
