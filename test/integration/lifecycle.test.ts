import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

/** Runs a module of its own in a process of its own, and gives what it printed once it ended by itself. */
async function inProcess(body: string): Promise<string> {
  const script = `
    import { createServer } from 'node:http';
    import { createClient } from './dist/index.js';
    import { staticList } from './dist/static.js';
    import { wrapFetch } from './dist/fetch.js';
    const server = createServer((request, response) => {
      if (request.url !== '/hang') response.end('ok');
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address();
    const options = { service: 'orders', discovery: staticList(['http://127.0.0.1:' + port]) };
    const resources = () => process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap' && name !== 'TTYWrap');
    ${body}
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: root,
    timeout: 10_000,
  });
  return stdout;
}

describe('the life of a client, in a process of its own', () => {
  it('lets an idle process end without being closed', async () => {
    const output = await inProcess(`
      const client = createClient(options);
      await client.ready();
      await client.call(async () => 1);
      server.close();
      console.log('idle');
    `);
    expect(output).toBe('idle\n');
  });

  it('leaves no timer, socket or listener after close()', async () => {
    const output = await inProcess(`
      const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      await settled();
      const before = resources();
      const client = createClient({ ...options, timeoutMs: 60_000 });
      const cancel = new AbortController();
      let listeners = 0;
      const { signal } = cancel;
      const add = signal.addEventListener.bind(signal), remove = signal.removeEventListener.bind(signal);
      signal.addEventListener = (...args) => (listeners++, add(...args));
      signal.removeEventListener = (...args) => (listeners--, remove(...args));
      await client.call(async () => 1, { signal });
      await client.call(async () => { throw new Error('x'); }, { signal }).catch(() => {});
      const hanging = client.call(() => new Promise(() => {}), { signal }).catch((error) => error.message);
      await new Promise((resolve) => setImmediate(resolve));
      cancel.abort(new Error('cancelled'));
      console.log(await hanging, listeners);
      await client.close();
      await settled();
      console.log(JSON.stringify(resources().sort()) === JSON.stringify(before.sort()));
      server.close();
    `);
    expect(output).toBe('cancelled 0\ntrue\n');
  });

  it('keeps the process alive while a call is under way', async () => {
    const output = await inProcess(`
      server.close();
      const client = createClient({ ...options, timeoutMs: 300, retry: { maxAttempts: 2 } });
      await client.call(() => new Promise(() => {})).catch((error) => console.log(error.code));
    `);
    expect(output).toBe('ERR_FAIRLEAD_DEADLINE_EXCEEDED\n');
  });

  it('keeps the process alive while it waits to be ready', async () => {
    const output = await inProcess(`
      server.close();
      const never = { name: 'never', async *watch() { await new Promise(() => {}); } };
      const client = createClient({ service: 'orders', discovery: never, readyTimeoutMs: 200 });
      await client.ready().catch((error) => console.log(error.code));
    `);
    expect(output).toBe('ERR_FAIRLEAD_NOT_READY\n');
  });

  it('waits in close() for calls in flight, and ends with await using', async () => {
    const output = await inProcess(`
      {
        const client = createClient(options);
        const fetch = wrapFetch(client);
        await client.ready();
        const reply = fetch('http://orders/').then((response) => response.text());
        let answer;
        const called = client.call(() => new Promise((resolve) => { answer = resolve; })).then(console.log);
        const closed = client[Symbol.asyncDispose]().then(() => console.log('closed'));
        await reply;
        answer('ok');
        await closed;
        await client.call(async () => 1).catch((error) => console.log(error.code));
        await called;
      }
      server.close();
      server.closeAllConnections();
    `);
    expect(output).toBe('ok\nclosed\nERR_FAIRLEAD_CLOSED\n');
  });
});
