/** What errors of Node and of HTTP libraries may say. Nothing of it can be relied on. */
export interface ErrorLike {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly address?: unknown;
  readonly port?: unknown;
  readonly hostname?: unknown;
  readonly errors?: unknown;
  readonly cause?: unknown;
  readonly response?: unknown;
  /** axios: the request, or follow-redirects' wrapper of it. */
  readonly request?: unknown;
  /** axios. */
  readonly config?: unknown;
  /** node-fetch. */
  readonly type?: unknown;
}

export function isErrorLike(value: unknown): value is ErrorLike {
  return typeof value === 'object' && value !== null;
}

/** A property of what may be no object. */
export function read(value: unknown, name: string): unknown {
  return isErrorLike(value) ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

export function messageOf({ message }: ErrorLike): string {
  return typeof message === 'string' ? message : '';
}
