/** How a wrapped axios tells what went wrong: as axios would. */
import { AxiosError, CanceledError, type InternalAxiosRequestConfig, isAxiosError } from 'axios';
import { isFairleadError, tellStory } from '../errors.js';

type Config = InternalAxiosRequestConfig;

/** The error as axios users know it: an AxiosError with the request's own config. */
export function asAxiosError(
  error: unknown,
  config: Config,
  signal: AbortSignal | undefined,
): unknown {
  if (signal?.aborted === true && error === signal.reason) return asCanceled(error, config);
  if (isFairleadError(error)) {
    const timedOut =
      error.code === 'ERR_FAIRLEAD_DEADLINE_EXCEEDED' ||
      error.code === 'ERR_FAIRLEAD_ATTEMPT_TIMEOUT';
    const made = timedOut
      ? new AxiosError(timeoutMessage(config) ?? error.message, timeoutCode(config), config)
      : new AxiosError(error.message, error.code, config);
    setCause(made, error);
    tellStory(made, error);
    return made;
  }
  if (isAxiosError(error)) {
    error.config = config;
    if (error.response !== undefined) error.response.config = config;
  }
  return error;
}

function asCanceled(reason: unknown, config: Config): CanceledError<unknown> {
  if (reason instanceof CanceledError) {
    reason.config ??= config;
    return reason;
  }
  const canceled = new CanceledError();
  canceled.config = config;
  setCause(canceled, reason instanceof Error ? reason : new Error(String(reason)));
  return canceled;
}

/** As of Node's own errors: what logs the properties of an error need not go into it. */
function setCause(error: Error, cause: unknown): void {
  Object.defineProperty(error, 'cause', { value: cause, writable: true, configurable: true });
}

/**
 * The `timeout` of a config in ms; `undefined` for none. axios takes it as text, too.
 *
 * @throws {AxiosError} as axios does, for what is no number.
 */
export function timeoutOf(config: Config): number | undefined {
  const given: unknown = config.timeout;
  if (given === undefined || given === null || given === 0 || given === '') return undefined;
  const timeoutMs = Number.parseInt(given as string, 10);
  if (Number.isNaN(timeoutMs)) {
    throw new AxiosError(
      'error trying to parse `config.timeout` to int',
      AxiosError.ERR_BAD_OPTION_VALUE,
      config,
    );
  }
  return timeoutMs > 0 ? timeoutMs : undefined;
}

/** axios's own words when the limit reached was axios's; `undefined` when it was the client's. */
function timeoutMessage({ timeout = 0, timeoutErrorMessage }: Config): string | undefined {
  return (
    timeoutErrorMessage ?? (timeout > 0 ? `timeout of ${String(timeout)}ms exceeded` : undefined)
  );
}

function timeoutCode({ transitional }: Config): string {
  return transitional?.clarifyTimeoutError === true
    ? AxiosError.ETIMEDOUT
    : AxiosError.ECONNABORTED;
}
