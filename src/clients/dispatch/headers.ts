/** Headers as undici takes them in requests (an array, an object, pairs) and gives them in responses. */

type Pair = readonly [name: unknown, value: unknown];

/** Of a request, as pairs; what undici would not take gives none, and is left to undici to refuse. */
export function* pairsOf(headers: unknown): Generator<Pair> {
  if (Array.isArray(headers)) {
    for (let i = 0; i + 1 < headers.length; i += 2) yield [headers[i], headers[i + 1]];
  } else if (isPairs(headers)) {
    for (const pair of headers) if (Array.isArray(pair)) yield pair as unknown as Pair;
  } else if (typeof headers === 'object' && headers !== null) {
    yield* Object.entries(headers);
  }
}

/** The value of a request header; `undefined` when there is none. `name` in lower case. */
export function requestHeader(headers: unknown, name: string): string | undefined {
  for (const [key, value] of pairsOf(headers)) {
    if (!isNamed(key, name) || value === undefined || value === null) continue;
    return Array.isArray(value) ? value.join(name === 'cookie' ? '; ' : ', ') : textOf(value);
  }
  return undefined;
}

/** The same headers, with `name` set to `value` unless they have it. `name` in lower case. */
export function withDefault(headers: unknown, name: string, value: string): unknown {
  if (headers === undefined || headers === null) return { [name]: value };
  if (Array.isArray(headers)) {
    for (let i = 0; i < headers.length; i += 2) if (isNamed(headers[i], name)) return headers;
    return [...(headers as unknown[]), name, value];
  }
  if (isPairs(headers)) return withDefault([...pairsOf(headers)].flat(), name, value);
  if (typeof headers !== 'object') return headers;
  for (const key in headers) if (isNamed(key, name)) return headers;
  return { ...headers, [name]: value };
}

/**
 * The value of a response header; `undefined` when there is none. `name` in lower case.
 *
 * @param headers names and values in turn, as received; or an object with names in lower case.
 */
export function responseHeader(headers: unknown, name: string): string | undefined {
  if (Array.isArray(headers)) {
    for (let i = 0; i + 1 < headers.length; i += 2) {
      if (isNamed(headers[i], name)) return textOf(headers[i + 1]);
    }
    return undefined;
  }
  const value = (headers as Record<string, unknown> | null | undefined)?.[name];
  return value === undefined ? undefined : textOf(Array.isArray(value) ? value[0] : value);
}

/** The length first: most headers are of another one, and reading a name out of bytes costs more. */
function isNamed(key: unknown, name: string): boolean {
  if (typeof key === 'string') return key.length === name.length && key.toLowerCase() === name;
  return Buffer.isBuffer(key) && key.length === name.length && textOf(key).toLowerCase() === name;
}

function textOf(value: unknown): string {
  return Buffer.isBuffer(value) ? value.toString('latin1') : String(value);
}

function isPairs(headers: unknown): headers is Iterable<unknown> {
  return (
    typeof headers === 'object' &&
    headers !== null &&
    !Array.isArray(headers) &&
    typeof (headers as Partial<Iterable<unknown>>)[Symbol.iterator] === 'function'
  );
}
