import fc from 'fast-check';
import { expect, it } from 'vitest';
import { settle } from '../../src/testing/manual-clock.js';
import { rig, row } from '../support/fixtures.js';
import { type Attempted, dispatching, telling } from './dispatch-rig.js';

/** What happens next, to the last attempt or to the listener. */
const step = fc.constantFrom(
  'start',
  'early',
  'head',
  'fail head',
  'data',
  'end',
  'fail',
  'pause',
  'resume',
  'abort',
  'settle',
  'second',
  'throw',
);

/** What undici itself would let happen to an attempt, whatever the steps say. */
class Legal {
  #state: 'queued' | 'sent' | 'open' | 'over' = 'queued';
  #sent = 0;
  readonly data: string[] = [];
  #aborts = 0;

  constructor(
    private readonly attempt: Attempted,
    private readonly number: number,
  ) {}

  run(what: string): void {
    const { attempt } = this;
    if (attempt.aborts.length > this.#aborts) {
      this.#aborts = attempt.aborts.length;
      this.#state = 'over';
    }
    const state = this.#state;
    if (what === 'start' && state === 'queued') {
      this.#state = 'sent';
      attempt.start();
    } else if (what === 'early' && state === 'sent') attempt.head(103);
    else if ((what === 'head' || what === 'fail head') && state === 'sent') {
      this.#state = 'open';
      attempt.head(what === 'head' ? 200 : 503);
    } else if (what === 'data' && state === 'open' && !attempt.paused) {
      const text = `${String(this.number)}.${String(this.#sent++)}`;
      this.data.push(text);
      attempt.data(text);
    } else if (what === 'end' && state === 'open' && !attempt.paused) {
      this.#state = 'over';
      attempt.end();
    } else if (what === 'fail' && state !== 'over') {
      this.#state = 'over';
      attempt.fail(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
    }
  }
}

const KINDS = /^(start|head 103|head|data|end|error)/;

it.each(['older', 'newer'] as const)(
  'whatever happens, a listener of the %s style sees one request, and no attempt is left',
  async (style) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { client, clock } = await rig(['a', 'b', 'c'], { breaker: false });
        const { attempts, send } = dispatching(client);
        const told = telling(style);
        const legal: Legal[] = [];
        await send(told);
        const learn = (): void => {
          while (legal.length < attempts.length) {
            const attempt = attempts[legal.length];
            if (attempt !== undefined) legal.push(new Legal(attempt, legal.length));
          }
        };
        const run = async (what: string): Promise<void> => {
          learn();
          if (what === 'pause') told.wants = false;
          else if (what === 'resume') told.resume();
          else if (what === 'abort') told.abort(new Error('enough'));
          else if (what === 'throw') told.throwsAt = 'head 200';
          else if (what === 'settle') await settle();
          else if (what === 'second') await clock.advance(1_000);
          else for (const each of legal.slice(-1)) each.run(what);
        };
        for (const what of steps) await run(what);
        // Then all goes its way, until there is an end.
        for (let i = 0; i < 6; i++) {
          for (const what of [
            'resume',
            'start',
            'head',
            'settle',
            'resume',
            'end',
            'settle',
            'second',
          ]) {
            await run(what);
          }
        }
        const kinds = told.log.map((what) => KINDS.exec(what)?.[1] ?? '?').join(' ');
        expect(kinds).toMatch(/^start( head 103)*( head)?( data)*( end| error)$/);
        const data = told.log
          .filter((what) => what.startsWith('data'))
          .map((what) => what.slice(5));
        const [first = '0'] = data[0]?.split('.') ?? [];
        const sent = legal[Number(first)]?.data ?? [];
        expect(data).toEqual(sent.slice(0, data.length));
        if (kinds.endsWith('end') && data.length > 0) expect(data).toEqual(sent);
        const pending = ['a', 'b', 'c'].map((id) => row(client, id).pending);
        expect(pending).toEqual([0, 0, 0]);
        await client.close();
      }),
      { numRuns: 300 },
    );
  },
);
