import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { AttemptContext } from '../src/attempt.js';
import type { PolicyName } from '../src/options.js';
import { refused, reset } from './support/errors.js';
import { rig, specs } from './support/fixtures.js';
import { never, watched } from './support/promises.js';

type Play = 'ok' | 'reset' | 'refused' | 'busy' | 'not-found' | 'hang' | 'slow' | 'throw';
const PLAYS: readonly Play[] = [
  'ok',
  'reset',
  'refused',
  'busy',
  'not-found',
  'hang',
  'slow',
  'throw',
];
const RETRIED_IF_IDEMPOTENT = new Set<Play>(['reset', 'busy', 'hang', 'throw']);

const scenario = fc.record({
  plays: fc.array(fc.constantFrom(...PLAYS), { minLength: 1, maxLength: 8 }),
  names: fc.uniqueArray(fc.constantFrom('a', 'b*2', 'c*3', 'd', 'e*100'), { minLength: 1 }),
  maxAttempts: fc.integer({ min: 1, max: 6 }),
  idempotent: fc.boolean(),
  timeoutMs: fc.integer({ min: 1, max: 2_000 }),
  attemptTimeoutMs: fc.option(fc.integer({ min: 1, max: 500 }), { nil: undefined }),
  policy: fc.constantFrom<PolicyName>(
    'random',
    'p2c',
    'adaptive',
    'peak-ewma',
    'round-robin',
    'weighted-round-robin',
  ),
  abortAtMs: fc.option(fc.integer({ min: 0, max: 1_000 }), { nil: undefined }),
});

it('whatever happens, a call keeps its promises', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (given) => {
      const { plays, names, maxAttempts, idempotent, timeoutMs, attemptTimeoutMs, abortAtMs } =
        given;
      const { client, clock } = await rig(names, {
        retry: { maxAttempts },
        policy: given.policy,
        breaker: false,
      });
      const sent: { readonly id: string; readonly play: Play; readonly atMs: number }[] = [];
      const fn = async ({ instance }: AttemptContext): Promise<unknown> => {
        const play = plays[sent.length % plays.length] ?? 'ok';
        sent.push({ id: instance.id, play, atMs: clock.now() });
        if (play === 'reset') throw reset();
        if (play === 'refused') throw refused();
        if (play === 'throw') throw new Error('bug');
        if (play === 'busy')
          return new Response(null, { status: 503, headers: { 'retry-after': '1' } });
        if (play === 'not-found') return new Response(null, { status: 404 });
        if (play === 'hang') return never();
        if (play === 'slow') await clock.sleep(30);
        return 'ok';
      };
      const stop = new AbortController();
      const reason = new Error('enough');
      const call = watched(
        client.call(fn, { idempotent, timeoutMs, attemptTimeoutMs, signal: stop.signal }),
      );
      if (abortAtMs !== undefined) {
        await clock.advance(abortAtMs);
        const was = call.status;
        stop.abort(reason);
        await clock.advance(0);
        if (was === 'pending') expect(call.error).toBe(reason);
      }
      await clock.advance(Math.max(0, timeoutMs - clock.now()));

      expect(call.status, 'settles by its deadline').not.toBe('pending');
      expect(sent.length).toBeLessThanOrEqual(maxAttempts);
      for (const { atMs } of sent) expect(atMs).toBeLessThan(timeoutMs);
      const ids = sent.map(({ id }) => id);
      const firstRound = ids.slice(0, names.length);
      expect(new Set(firstRound).size, 'none twice while another is left').toBe(firstRound.length);
      if (!idempotent) {
        const repeated = sent.slice(0, -1).filter(({ play }) => play !== 'refused');
        expect(repeated, 'nothing that may have been sent is sent again').toEqual([]);
      }
      for (const { play } of sent.slice(0, -1)) {
        const limited = play === 'slow'; // may hit its attempt timeout
        expect(play === 'refused' || limited || RETRIED_IF_IDEMPOTENT.has(play)).toBe(true);
      }
      for (const { id, pending, attempts } of client.snapshot().instances) {
        expect(pending, 'every lease has ended').toBe(0);
        expect(attempts).toBe(ids.filter((other) => other === id).length);
      }
      expect(client.snapshot().inFlight).toBe(0);
      const slow = sent.filter(({ play }) => play === 'slow').length;
      expect(clock.pendingTimers, "only the functions' own sleeps are left").toBeLessThanOrEqual(
        slow,
      );
      await client.close();
    }),
    { seed: 12, numRuns: 400 },
  );
});

it('an idempotent call over instances of which one is good always succeeds, given attempts for all', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.nat(5),
      fc.constantFrom<Play>('reset', 'refused', 'throw'),
      async (n, at, play) => {
        const names = 'abcdef'.slice(0, n).split('');
        const good = names[at % n];
        const { client, clock } = await rig(names, { retry: { maxAttempts: n } });
        for (let i = 0; i < 10; i++) {
          const call = watched(
            client.call(
              ({ instance }) => {
                if (instance.id === good) return 'ok';
                throw play === 'refused' ? refused() : reset();
              },
              { idempotent: true },
            ),
          );
          await clock.advance(2_000);
          expect(call.value).toBe('ok');
        }
        await client.close();
      },
    ),
    { seed: 13, numRuns: 60 },
  );
});

it('picks only listed instances, whatever the source says meanwhile', async () => {
  const lists = fc.array(fc.subarray(['a', 'b*2', 'c', 'd*0', 'e']), {
    minLength: 1,
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(lists, async (given) => {
      const { client, source, clock } = await rig(['a'], { shrinkGraceMs: 0 });
      for (const names of given) {
        source.set(specs(...names));
        await clock.advance(1);
        const taking = names.filter((name) => !name.endsWith('*0')).map((name) => name[0]);
        for (let i = 0; i < 5; i++) {
          const call = watched(client.call(({ instance }) => instance.id));
          await clock.advance(0);
          if (taking.length === 0) expect(call.status).toBe('rejected');
          else expect(taking).toContain(call.value);
        }
      }
      await client.close();
    }),
    { seed: 14, numRuns: 100 },
  );
});
