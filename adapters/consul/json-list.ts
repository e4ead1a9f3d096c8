import { isObject } from '../../src/validate.js';
import { AgentError } from './agent-error.js';
import { nextTurn } from './next-turn.js';

/** About 3 ms of work. */
const SLICE_BYTES = 256 * 1024;

/**
 * The elements of a JSON array. A large one is parsed in slices, between which others get their turn: 10,000 instances
 * are 11 MB, and would block the event loop for 100 ms.
 *
 * Rejects with an {@link AgentError} when it is no array, and with the signal's reason on abort.
 */
export async function parseJsonList(
  body: Buffer,
  signal?: AbortSignal,
  sliceBytes = SLICE_BYTES,
): Promise<readonly unknown[]> {
  const start = skipSpace(body, 0);
  if (body.length <= sliceBytes || body[start] !== OPEN_LIST) return asList(parseJson(body));

  const elements: unknown[] = [];
  const scan: Scan = { at: start + 1, depth: 1 };
  for (let from = scan.at; scan.depth > 0; from = scan.at) {
    if (from > start + 1) await nextTurn(signal);
    scanSlice(body, scan, from + sliceBytes);
    // Without the comma, or the bracket, that ends it.
    const slice = parseList(body.toString('utf8', from, scan.at - 1));
    const isWhole = from === start + 1 && scan.depth === 0;
    if (slice.length === 0 && !isWhole) throw noJson();
    for (const element of slice) elements.push(element);
  }
  if (body[scan.at - 1] !== CLOSE_LIST || skipSpace(body, scan.at) < body.length) throw noJson();
  return elements;
}

/** @throws {AgentError} when it is none. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw noJson();
  }
}

/** @throws {AgentError} naming what it is instead. */
function asList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[];
  const found = isObject(value) ? 'an object' : value === null ? 'null' : `a ${typeof value}`;
  throw new AgentError(`the reply is no list but ${found}`, { status: 200 });
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Where a scan through an array stands. */
interface Scan {
  /** The next byte; never inside a string. */
  at: number;
  /** Brackets that are open: 1 between elements, 0 behind the end of the array. */
  depth: number;
}

/**
 * Goes on until it is behind the first comma between elements at `until` or later, or behind the end of the array.
 * Whether brackets match, and all else, is left to the parser: it gets to see every byte but that one.
 *
 * @throws {AgentError} when there is no end.
 */
function scanSlice(body: Buffer, scan: Scan, until: number): void {
  let { at, depth } = scan;
  while (at < body.length) {
    const byte = body[at++];
    if (byte === QUOTE) {
      at = behindString(body, at);
    } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      depth++;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
      depth--;
    }
    if (depth === 0 || (depth === 1 && byte === COMMA && at > until)) {
      scan.at = at;
      scan.depth = depth;
      return;
    }
  }
  throw noJson();
}

function behindString(body: Buffer, from: number): number {
  for (let at = from; at < body.length; at++) {
    const byte = body[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  return body.length;
}

function skipSpace(body: Buffer, from: number): number {
  let at = from;
  while (at < body.length && SPACE.has(body[at])) at++;
  return at;
}

/** What JSON calls white space. */
const SPACE: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);

function parseList(elements: string): readonly unknown[] {
  try {
    return JSON.parse(`[${elements}]`) as readonly unknown[];
  } catch {
    throw noJson();
  }
}

/** Says no more, for what a parser says quotes the text. */
function noJson(): AgentError {
  return new AgentError('the reply is no JSON', { status: 200 });
}
