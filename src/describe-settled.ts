import { show } from './errors.js';
import type { Settled } from './types.js';

/** What a record says of an attempt that was no success: a code, a status, or else the message. */
export function describeSettled(settled: Settled): string | undefined {
  try {
    return settled.ok ? describeValue(settled.value) : describeError(settled.error);
  } catch {
    return 'an error that cannot be shown'; // thrown by the caller's own getters: no reason to lose the call
  }
}

function describeValue(value: unknown): string | undefined {
  const status = (value as { status?: unknown } | null | undefined)?.status;
  return typeof status === 'number' && status >= 400 ? `HTTP ${String(status)}` : undefined;
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return show(error);
  for (const { code } of [error, error.cause ?? {}] as { code?: unknown }[]) {
    if (typeof code === 'string') return code;
  }
  return error.message;
}
