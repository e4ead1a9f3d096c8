/** Headers as undici takes them in requests (an array, an object, pairs) and gives them in responses. */

type Named = Readonly<Record<string, unknown>>;

/** The value of a request header; `undefined` when there is none. `name` in lower case. */
export function requestHeader(headers: unknown, name: string): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  if (Array.isArray(headers)) return ofFlat(headers, name);
  if (isPairs(headers)) return ofFlat(flatOf(headers), name);
  for (const key in headers) {
    if (isNamed(key, name)) return valueOf((headers as Named)[key], name);
  }
  return undefined;
}

/** The same headers, with `name` set to `value` unless they have it. `name` in lower case. */
export function withDefault(headers: unknown, name: string, value: string): unknown {
  if (headers === undefined || headers === null) return headersOf(name, value);
  if (typeof headers !== 'object') return headers; // for undici to refuse
  if (Array.isArray(headers)) {
    // An odd one out is for undici to refuse, too.
    const has = ofFlat(headers, name) !== undefined || headers.length % 2 !== 0;
    return has ? headers : [...(headers as unknown[]), name, value];
  }
  if (isPairs(headers)) {
    const pairs = [...headers];
    return pairs.every(isPair) ? withDefault(pairs.flat(), name, value) : new Set(pairs);
  }
  for (const key in headers) if (isNamed(key, name)) return headers;
  return Object.assign({}, headers, { [name]: value }); // not spread: see exchange.ts
}

/**
 * The value of a response header; `undefined` when there is none. `name` in lower case.
 *
 * @param headers names and values in turn, as received; or an object with names in lower case.
 */
export function responseHeader(headers: unknown, name: string): string | undefined {
  if (Array.isArray(headers)) {
    for (let i = 0; i + 1 < headers.length; i += 2) {
      if (isNamed(headers[i], name)) return textOf(firstOf(headers[i + 1]));
    }
    return undefined;
  }
  const value = firstOf((headers as Named | null | undefined)?.[name]);
  return value === undefined ? undefined : textOf(value);
}

/** Whether one of received headers has a name as long as `lengths` says: most answers are told to have none by that. */
export function hasNameOfLength(headers: unknown, lengths: readonly number[]): boolean {
  if (!Array.isArray(headers)) return true; // parsed: to look it up costs no more
  for (let i = 0; i < headers.length; i += 2) {
    const { length } = headers[i] as { readonly length: number };
    if (length === lengths[0] || length === lengths[1]) return true;
  }
  return false;
}

/** Headers that have been parsed as they may have been received: names and values in turn. */
export function rawHeadersOf(headers: unknown): Buffer[] {
  const raw: Buffer[] = [];
  for (const [name, given] of Object.entries((headers ?? {}) as Named)) {
    for (const value of Array.isArray(given) ? (given as unknown[]) : [given]) {
      raw.push(Buffer.from(name, 'latin1'), Buffer.from(textOf(value), 'latin1'));
    }
  }
  return raw;
}

/** A computed name is dear, and this is the one that each request is given. */
function headersOf(name: string, value: string): Named {
  return name === 'host' ? { host: value } : { [name]: value };
}

function ofFlat(headers: readonly unknown[], name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (isNamed(headers[i], name)) return valueOf(headers[i + 1], name);
  }
  return undefined;
}

function flatOf(pairs: Iterable<unknown>): unknown[] {
  return [...pairs].filter(isPair).flat();
}

function isPair(pair: unknown): pair is [unknown, unknown] {
  return Array.isArray(pair) && pair.length === 2;
}

/** `undefined` for a header that undici would not send. */
function valueOf(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  return Array.isArray(value) ? value.join(name === 'cookie' ? '; ' : ', ') : textOf(value);
}

function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value;
}

/** The length first: most headers are of another one, and reading a name out of bytes costs more. */
function isNamed(key: unknown, name: string): boolean {
  if ((key as { readonly length?: unknown } | null | undefined)?.length !== name.length)
    return false;
  if (typeof key === 'string') return key.toLowerCase() === name;
  return Buffer.isBuffer(key) && textOf(key).toLowerCase() === name;
}

function textOf(value: unknown): string {
  return Buffer.isBuffer(value) ? value.toString('latin1') : String(value);
}

/** What somebody has put into the prototype of all objects makes none iterable. */
function isPairs(headers: object): headers is Iterable<unknown> {
  const iterate: unknown = Reflect.get(headers, Symbol.iterator);
  return (
    typeof iterate === 'function' && iterate !== Reflect.get(Object.prototype, Symbol.iterator)
  );
}
