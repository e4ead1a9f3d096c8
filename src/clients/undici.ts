/** `fairlead/undici`: undici dispatchers whose URLs name services. */
import type { Dispatcher } from 'undici';
import { serviceDispatch } from './dispatch/dispatcher.js';
import type { Dispatch } from './dispatch/types.js';
import type { HashKey, HashRequest } from './hash-key.js';
import type { FairleadRequestOptions } from './request-options.js';
import type { Target } from './target.js';
import { resolveWrapping, type WrapOptions } from './wrap-options.js';

export { FairleadAgent, type FairleadAgentOptions } from './undici/fairlead-agent.js';
export type { FairleadPoolOptions } from './undici/pool-options.js';
export type { FairleadRequestOptions, HashKey, HashRequest, Target };

/** Options of {@link fairleadInterceptor}. */
export type FairleadInterceptorOptions = WrapOptions;

declare module 'undici' {
  // As undici declares them: an interface is extended under its own name, with its own parameters.
  /* eslint-disable @typescript-eslint/no-namespace, @typescript-eslint/no-unused-vars */
  namespace Dispatcher {
    interface DispatchOptions {
      /** Options of this request alone, for Fairlead. */
      fairlead?: FairleadRequestOptions | undefined;
    }
    interface UpgradeOptions {
      /** Options of this request alone, for Fairlead. */
      fairlead?: FairleadRequestOptions | undefined;
    }
    interface ConnectOptions<TOpaque = null> {
      /** Options of this request alone, for Fairlead. */
      fairlead?: FairleadRequestOptions | undefined;
    }
  }
  /* eslint-enable @typescript-eslint/no-namespace, @typescript-eslint/no-unused-vars */
}

/**
 * An interceptor for `compose`: where the host of a request's origin names a service of `target`, the request goes to
 * one of its instances, and to another when that fails and may be retried. Any other is dispatched as it is.
 *
 * To be composed over an `Agent`, or another dispatcher that goes to whichever origin it is told; a `Pool` and a
 * `Client` know but one. Interceptors named after it see the service's URL, and what they send anew is picked anew;
 * those before it see each attempt, with the instance's address. Where pools are to be closed with their instances, or
 * one service's certificate is for an address, {@link FairleadAgent} is the one to take.
 *
 * @throws {InvalidOptionError} when `target` is neither a client nor a pool, and naming the option out of range.
 */
export function fairleadInterceptor(
  target: Target,
  options: FairleadInterceptorOptions = {},
): Dispatcher.DispatcherComposeInterceptor {
  const wrapping = resolveWrapping('fairleadInterceptor', target, options);
  return (dispatch) => serviceDispatch(wrapping, dispatch as unknown as Dispatch);
}
