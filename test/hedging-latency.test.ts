import { expect, it } from 'vitest';
import { bothUnderWay, expectNothingLeft, hedging } from './hedging-rig.js';
import { row } from './support/fixtures.js';

it('a slow instance does not hide behind its hedges: that it lost is no blame, but tells how long it takes', async () => {
  const made = await hedging();
  const { client, clock } = made;
  const { call, hedge } = await bothUnderWay(made); // the first is 30 ms old
  hedge.resolve('quick');
  await clock.advance(0);
  expect(call.value).toBe('quick');
  expect(row(client, 'a')).toMatchObject({ successRatio: 1, breaker: 'closed', pending: 0 });
  // A quick answer brings it down little by little only.
  await client.call(() => 'ok');
  expect(row(client, 'a')).toMatchObject({ attempts: 2 });
  expect(row(client, 'a').ewmaMs).toBeGreaterThan(20);
  expectNothingLeft(made);
  await client.close();
});

it('a hedge that lost soon after it was sent says nothing of an instance known to be slower', async () => {
  const made = await hedging();
  const { client, clock } = made;
  for (let i = 0; i < 5; i++) {
    const slow = client.call(() => clock.sleep(100), { hedge: false });
    await clock.advance(100);
    await slow;
  }
  const before = row(client, 'b').ewmaMs;
  const { first } = await bothUnderWay(made);
  first.resolve('at last');
  await clock.advance(0);
  expect(row(client, 'b').ewmaMs).toBe(before);
  expectNothingLeft(made);
  await client.close();
});
