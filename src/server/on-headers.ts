import type { AnyResponse } from './messages.js';

/** How Node's own `writeHead` is called: with the status, perhaps a reason, perhaps headers. */
type WriteHead = (this: AnyResponse, status: number, ...rest: readonly unknown[]) => AnyResponse;

/** A header to add: its name in lower case, and its value. */
export type AddedHeader = readonly [name: string, value: string];

/**
 * Calls `headerOf` right before the headers of `response` go out, however they do, and adds what it returns, unless the
 * application has set that header itself. Node calls `writeHead` for all that begins a response: `end`, `write`, `pipe`,
 * `flushHeaders`. Interim responses (100, 103) do not come by.
 *
 * The header goes into the arguments, not into `setHeader`: once that was called Node 20 takes of headers that come as an
 * array only the last of each name, so that a response would lose cookies. And error handlers remove what was set.
 */
export function onHeaders<R extends AnyResponse>(
  response: R,
  headerOf: (response: R) => AddedHeader | undefined,
): void {
  const { writeHead } = response as unknown as { readonly writeHead: WriteHead };
  const replaced: WriteHead = function (status, ...rest) {
    if (response.headersSent) return writeHead.call(this, status, ...rest);
    const added = headerOf(response);
    if (added === undefined || response.hasHeader(added[0])) {
      return writeHead.call(this, status, ...rest);
    }
    const [first, second] = rest;
    if (typeof first === 'string') {
      return writeHead.call(this, status, first, withHeader(second, added));
    }
    return writeHead.call(this, status, withHeader(first ?? second, added));
  };
  response.writeHead = replaced as unknown as R['writeHead'];
}

/** A copy of what `writeHead` takes for headers: an object, a flat array of names and values, or one of pairs. */
function withHeader(headers: unknown, [name, value]: AddedHeader): unknown {
  if (headers === undefined || headers === null) return { [name]: value };
  if (!Array.isArray(headers)) {
    for (const key in headers) if (isNamed(key, name)) return headers;
    return Object.assign({ [name]: value }, headers);
  }
  const list: readonly unknown[] = headers;
  if (Array.isArray(list[0])) {
    const isThere = list.some((pair) => Array.isArray(pair) && isNamed(pair[0], name));
    return isThere ? list : [...list, [name, value]];
  }
  const isThere = list.some((entry, i) => i % 2 === 0 && isNamed(entry, name));
  return isThere ? list : [...list, name, value];
}

function isNamed(key: unknown, name: string): boolean {
  return typeof key === 'string' && key.length === name.length && key.toLowerCase() === name;
}
