/** What servers say of their own load in a response header, in the HTTP form of ORCA that Envoy reads. */
import type { Lease } from '../lease.js';
import type { LoadReport } from '../types.js';
import { isObject } from '../validate.js';

/** In small letters. */
export const LOAD_HEADERS = ['endpoint-load-metrics', 'x-endpoint-load-metrics'] as const;

/** Longer headers are not read: the figures that count take some 100 characters. */
const MAX_LENGTH = 4_096;

/** What of a response is read. A fetch or an adapter of the application's own may give less than it should. */
export interface ResponseHeaders {
  get?(name: string): unknown;
}

/** Hands on the load report in a response of the attempt's own instance, if there is one that can be used. */
export function reportLoad(
  attempt: Pick<Lease, 'report'>,
  headers: ResponseHeaders | undefined,
): void {
  const header = headers?.get?.(LOAD_HEADERS[0]) ?? headers?.get?.(LOAD_HEADERS[1]);
  const report = typeof header === 'string' ? parseLoadReport(header) : undefined;
  if (report !== undefined) attempt.report(report);
}

/**
 * Reads `TEXT cpu_utilization=0.3, rps_fractional=100.5, eps=1` or `JSON {"cpu_utilization": 0.3, ...}`; without
 * either word what begins with `{` is JSON, anything else text. The utilization is `application_utilization` when
 * that is above 0, else `cpu_utilization`; metrics of other names are not looked at. Protobuf (`BIN`) is not read.
 *
 * @returns `undefined` for what is malformed, negative, not finite or ambiguous, and without a rate or a utilization:
 * a server's bad header costs the caller nothing.
 *
 * Source: ORCA's message xds.data.orca.v3.OrcaLoadReport, and Envoy's source/common/orca/orca_parser.cc.
 */
export function parseLoadReport(header: string): LoadReport | undefined {
  if (header.length > MAX_LENGTH) return undefined;
  const [, format = '', text = ''] = /^(?:(TEXT|JSON)\s)?(.*)$/is.exec(header) ?? [];
  const isJson = format === '' ? text.startsWith('{') : format.toUpperCase() === 'JSON';
  const pairs = isJson ? fromJson(text) : fromText(text);
  if (pairs === undefined) return undefined;
  const metrics = new Map(pairs);
  if (metrics.size < pairs.length) return undefined; // a metric twice: which is right?

  const figures = METRICS.map((name) => figureOf(metrics.get(name)));
  if (figures.some((figure) => figure !== undefined && !isFigure(figure))) return undefined;
  const [qps, application = 0, cpu, errorsPerSecond = 0] = figures;
  const utilization = application > 0 ? application : cpu;
  if (qps === undefined || utilization === undefined) return undefined;
  return { qps, utilization, errorsPerSecond };
}

const METRICS = ['rps_fractional', 'application_utilization', 'cpu_utilization', 'eps'];

/** Names with what they were given, as they stand; `undefined` when the text is no such list. */
type Pairs = [name: string, value: unknown][] | undefined;

function fromText(text: string): Pairs {
  const pairs: Pairs = [];
  for (const element of text.split(',')) {
    if (element.trim() === '') continue; // lists in headers may have empty elements (RFC 9110, 5.6.1.2)
    // ORCA says `=`. Envoy's parser knew only `:` at first, and takes both: servers write either.
    const [, name, value] = /^([^=:]*)[=:](.*)$/s.exec(element) ?? [];
    if (name === undefined || value === undefined) return undefined;
    pairs.push([name.trim(), value.trim()]);
  }
  return pairs;
}

function fromJson(text: string): Pairs {
  try {
    const parsed: unknown = JSON.parse(text);
    if (!isObject(parsed)) return undefined;
    // Protobuf's JSON has names in camel case unless told otherwise.
    return Object.entries(parsed).map(([name, value]) => [snakeCase(name), value]);
  } catch {
    return undefined;
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `undefined` for a metric that is not there, which protobuf's JSON may say as `null`; NaN for what is no number. */
function figureOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number') return value;
  const isNumber = typeof value === 'string' && /^\+?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(value);
  return isNumber ? Number(value) : NaN;
}

function isFigure(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}
