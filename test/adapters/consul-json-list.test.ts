import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../adapters/consul/agent-error.js';
import { parseJsonList } from '../../adapters/consul/json-list.js';

function parse(text: string | Buffer, sliceBytes?: number): Promise<readonly unknown[]> {
  return parseJsonList(Buffer.from(text as string), undefined, sliceBytes);
}

/** What `JSON.parse` makes of it, or why there is no list. */
function expected(text: string): unknown {
  let value: unknown;
  try {
    // As it arrives: a surrogate that lost its other half is no character.
    value = JSON.parse(Buffer.from(text).toString());
  } catch {
    return 'the reply is no JSON';
  }
  return Array.isArray(value) ? value : expect.stringMatching(/^the reply is no list but /);
}

async function outcome(text: string, sliceBytes: number): Promise<unknown> {
  try {
    return await parse(text, sliceBytes);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return error.message;
  }
}

// Of all sizes, but often so small that every element is a slice of its own.
const sliceBytes = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 40 }));
const space = fc.stringMatching(/^[ \t\n\r]{0,3}$/);
// Brackets, commas, quotes and escapes inside strings, and characters of two to four bytes.
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('"', '\\', ',', '[', ']', '{', '}', 'é', '日', '🦆', '\u2028'),
  }),
);
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom(null, true, false),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    text,
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(text, tie('json'), { maxKeys: 4 }),
  ),
}));

describe('a JSON list in slices', () => {
  it('is what JSON.parse makes of it', async () => {
    const indent = fc.constantFrom(undefined, 1, '\t');
    await fc.assert(
      fc.asyncProperty(
        fc.array(json, { maxLength: 8 }),
        indent,
        space,
        sliceBytes,
        async (list, layout, around, bytes) => {
          const written = `${around}${JSON.stringify(list, null, layout)}${around}`;
          expect(await parse(written, bytes)).toEqual(JSON.parse(written));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is refused just where JSON.parse refuses it', async () => {
    const broken = fc
      .tuple(
        fc.array(json, { maxLength: 5 }),
        fc.nat(),
        fc.nat({ max: 2 }),
        fc.constantFrom(...'[]{},:"\\0x '),
      )
      .map(([list, at, removed, inserted]) => {
        const written = JSON.stringify(list);
        const from = at % (written.length + 1);
        return written.slice(0, from) + inserted + written.slice(from + removed);
      });
    await fc.assert(
      fc.asyncProperty(broken, sliceBytes, async (written, bytes) => {
        expect(await outcome(written, bytes)).toEqual(expected(written));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '[1,2',
    '[1,2,',
    '[1,2,]',
    '[,1,2]',
    '[1,,2]',
    '[1 2,3]',
    '[1,2]]',
    '[1,2]x',
    '[1,2}',
    '[1],[2]',
    '[{]},1]',
    '[[1,2},3]',
    '["a,b',
    '["a\\"]',
    '[,]',
    '[ ,',
    '[',
    '[  ',
    '',
    '   ',
    '\uFEFF[1,2]',
    '[1,\u00A02]',
  ])('is no JSON: %j', async (written) => {
    expect(expected(written)).toBe('the reply is no JSON');
    for (const bytes of [1, 3, 1_000]) {
      expect(await outcome(written, bytes)).toBe('the reply is no JSON');
    }
  });

  it.each([
    ['{"a":[1,2]}', 'an object'],
    ['null', 'null'],
    ['"[1,2]"', 'a string'],
    [' 17', 'a number'],
  ])('is no list: %s', async (written, found) => {
    for (const bytes of [1, 1_000]) {
      expect(await outcome(written, bytes)).toBe(`the reply is no list but ${found}`);
    }
  });

  it.each(['[]', ' [ ] ', '[\n\n\n\n]'])('may be empty: %j', async (written) => {
    for (const bytes of [1, 1_000]) expect(await parse(written, bytes)).toEqual([]);
  });

  it('quotes nothing of what it refuses', async () => {
    const error: unknown = await parse('[{"Token":"hunter2",}]').catch((thrown: unknown) => thrown);
    expect(String(error) + JSON.stringify(error)).not.toContain('hunter2');
  });
});

describe('the event loop', () => {
  const many = JSON.stringify(
    Array.from({ length: 4_000 }, (_, i) => ({ i, text: 'x'.repeat(300) })),
  );

  it('has its turns while a large list is parsed', async () => {
    let turns = 0;
    const turn = setInterval(() => turns++);
    const list = await parse(many);
    clearInterval(turn);
    expect(list).toHaveLength(4_000);
    expect(turns).toBeGreaterThanOrEqual(1);
  });

  it('is not waited for by a small one', async () => {
    let passed = false;
    setImmediate(() => (passed = true));
    await parse(JSON.stringify(['x'.repeat(200_000)]));
    expect(passed).toBe(false);
  });

  it('hears of no more slices after an abort', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const parsed = parseJsonList(Buffer.from(many), controller.signal);
    controller.abort(reason);
    await expect(parsed).rejects.toBe(reason);
  });
});
