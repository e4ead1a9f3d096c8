import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { measuredFlags } from '../../bench/process-flags.js';

const TSX = ['--import', 'tsx'];

/** Whether a process with these flags reads source maps. */
async function readsSourceMaps(flags: readonly string[]): Promise<boolean> {
  const args = [...flags, '--print', 'process.sourceMapsEnabled'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout.trim() === 'true';
}

it('measures without source maps, which tsx turns on', async () => {
  expect(await readsSourceMaps(TSX)).toBe(true);
  expect(await readsSourceMaps(measuredFlags(TSX))).toBe(false);
});
