/** Servers that are killed, one every second, under twice the load that they can bear: `npm run kills`, in a process of its own. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/kills.ts', import.meta.url));

function kills(options: string): Promise<{ readonly code: unknown; readonly output: string }> {
  const args = ['--import', 'tsx', script, ...options.split(' ')];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: 150_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, output: stdout + stderr });
    });
  });
}

/** The row of a table that begins so, as numbers where they are any. */
function row(output: string, first: string): number[] {
  const line = output.split('\n').find((each) => new RegExp(`^\\| ${first} +\\|`).test(each)) ?? '';
  return line
    .split('|')
    .slice(2)
    .map((cell) => Number.parseFloat(cell.replaceAll(',', '')));
}

describe('200 % load with kills', { timeout: 160_000 }, () => {
  it('fails no idempotent call in 60 seconds, and no POST that cannot have been received; no POST runs twice', async () => {
    const { code, output } = await kills('--seconds 60 --clients axios,fetch,undici');
    expect(output).toContain('No promise was broken.');
    expect(output).not.toContain('BROKEN');
    expect(code).toBe(0);
    // It was a trial indeed: each client has sent all kinds, has met kills, and has retried.
    for (const client of ['axios', 'fetch', 'undici']) {
      for (const method of ['GET', 'PUT']) {
        const [made = 0, failed] = row(output, `${client} ${method}`);
        expect(made).toBeGreaterThan(300); // some 7,000 and 3,000 on an idle machine
        expect(failed).toBe(0);
      }
      const [made = 0, failed = 0] = row(output, `${client} POST`);
      expect(failed).toBeGreaterThan(5);
      expect(failed).toBeLessThan(made / 4);
      const [, , retries] = row(output, client);
      expect(retries).toBeGreaterThan(20);
    }
    expect(output).toContain('192 in flight over 96 at work: 200 %');
    const [killed] = row(output, 'kills');
    expect(killed).toBeGreaterThan(10); // 59 or 60, unless the machine takes more than a second to start a server
  });

  it.each([
    ['repeat-posts', ['POST ran more than once']],
    ['no-retries', ['GET failed', 'PUT failed', 'POST failed that nobody can have received']],
    ['forget', ['GET that succeeded is in no log', 'POST that succeeded is in no log']],
  ])('notices what is broken on purpose: %s', async (sabotage, promises) => {
    const { code, output } = await kills(`--seconds 4 --sabotage ${sabotage}`);
    for (const promise of promises) expect(output).toContain(`BROKEN: ${promise}: `);
    expect(code).toBe(1);
  });
});
