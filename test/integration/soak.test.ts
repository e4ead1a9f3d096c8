import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/soak.ts', import.meta.url));

/** Runs the soak in a process of its own. */
function soak(options: string): Promise<{ readonly code: unknown; readonly output: string }> {
  const args = ['--import', 'tsx', script, ...options.split(' ')];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: 110_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, output: stdout + stderr });
    });
  });
}

describe('the soak', { timeout: 120_000 }, () => {
  it('finds no broken promise in 20 seconds, and ends by itself', async () => {
    const { code, output } = await soak('--minutes 0.33 --rate 100 --seed 5');
    expect(output).toContain('No promise was broken.');
    expect(output).toContain('| left over | nothing |');
    expect(output).not.toContain('BROKEN');
    expect(code).toBe(0);
    const calls = Number(/\| calls \| (\d+) \|/.exec(output)?.[1]);
    expect(calls).toBeGreaterThan(1_000); // 2,000 are meant
    const faults = Number(/\| faults injected \| (\d+):/.exec(output)?.[1]);
    expect(faults).toBeGreaterThanOrEqual(3);
  });

  it('notices every promise that is broken on purpose', async () => {
    const broken = 'late,body,posts,leak,rejection,pending,socket';
    const { code, output } = await soak(`--minutes 0.2 --rate 100 --sabotage ${broken}`);
    for (const noticed of [
      'settled late',
      'wrong body taken for good',
      'POST served more than once',
      'heap grows',
      'unhandled rejection',
      'left over',
    ]) {
      expect(output).toMatch(new RegExp(`BROKEN: .*${noticed}`));
    }
    expect(output).toMatch(/\| left over \| .*attempts pending.*connections/);
    expect(code).toBe(1);
  });
});
