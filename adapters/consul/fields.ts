/** Single fields of what Consul sends, read tolerantly. */
import { InvalidInstanceError } from '../../src/errors.js';
import { isObject } from '../../src/validate.js';

/** A non-empty string; Consul says nothing with `""` and `null` alike. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A field of an object, in the letter case of Go or that of a configuration file: `Port`, else `port`. */
export function eitherCase(object: Record<string, unknown>, name: string): unknown {
  return object[name] ?? object[name.toLowerCase()];
}

/** @throws {InvalidInstanceError} naming `path`. */
export function requiredText(value: unknown, path: string): string {
  const found = text(value);
  if (found !== undefined) return found;
  throw new InvalidInstanceError(path, 'a non-empty string', value);
}

/**
 * Consul accepts 0, -1 and 70000 on registration.
 *
 * @throws {InvalidInstanceError} naming `path`.
 */
export function requiredPort(port: unknown, path: string): number {
  const isPort = typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535;
  if (isPort) return port;
  throw new InvalidInstanceError(path, 'an integer from 1 to 65535', port);
}

/** The strings of an object; what is none is left out. */
export function strings(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}
