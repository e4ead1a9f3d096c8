import { expect, it } from 'vitest';
import { createClientPool } from '../src/client-pool.js';
import { runWithin } from '../src/deadline-scope.js';
import { poll } from '../src/discovery.js';
import { ManualClock } from '../src/testing/manual-clock.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import { rig, row, specs } from './support/fixtures.js';
import { never, watched } from './support/promises.js';

it('an instance that hangs is found out by calls that inherit short deadlines, too', async () => {
  const { client, clock } = await rig(['a', 'b'], {
    inheritDeadline: true,
    policy: 'round-robin',
    outlierDetection: false,
  });
  const callWithin = async (ms: number, hangs: boolean): Promise<void> => {
    const call = watched(
      runWithin(ms, clock, () =>
        client.call(({ instance }) => (hangs && instance.id === 'b' ? never() : clock.sleep(5))),
      ),
    );
    await clock.advance(ms);
    expect(call.status).not.toBe('pending');
  };
  for (let i = 0; i < 20; i++) await callWithin(500, false);
  for (let i = 0; i < 10; i++) await callWithin(500, true);
  expect(row(client, 'b').breaker).toBe('open');
  expect(row(client, 'a').breaker).toBe('closed');
  await client.close();
});

it('but calls that have next to no time left blame nobody', async () => {
  const { client, clock } = await rig(['a', 'b'], { inheritDeadline: true });
  for (let i = 0; i < 20; i++) {
    const call = watched(client.call(() => clock.sleep(20)));
    await clock.advance(20);
    expect(call.status).toBe('resolved');
  }
  for (let i = 0; i < 20; i++) {
    const call = watched(runWithin(15, clock, () => client.call(() => clock.sleep(20))));
    await clock.advance(20);
    expect(call.error).toMatchObject({ code: 'ERR_FAIRLEAD_DEADLINE_EXCEEDED' });
  }
  for (const id of ['a', 'b']) {
    expect(row(client, id)).toMatchObject({ breaker: 'closed', successRatio: 1 });
  }
  await client.close();
});

it("a client made within a request does not keep that request's deadline for its discovery", async () => {
  const clock = new ManualClock();
  const env = { clock, rng: seededRng(1) };
  const { client: catalogue } = await rig(['c'], { inheritDeadline: true, env });
  let reads = 0;
  const discovery = poll(
    'catalogue',
    async () => {
      await catalogue.call(() => 'asked');
      reads++;
      return { kind: 'instances', instances: specs('a') };
    },
    { intervalMs: 100 },
  );
  const pool = createClientPool({ discovery, defaults: { env } });
  await runWithin(150, clock, () => pool.client('orders').ready());
  await clock.advance(1_000);
  expect(reads).toBeGreaterThan(8);
  await pool.close();
  await catalogue.close();
});
