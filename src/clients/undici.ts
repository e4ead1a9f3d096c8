/** `fairlead/undici`: undici dispatchers whose URLs name services. */
import type { Dispatcher } from 'undici';
import { serviceDispatch } from './dispatch/dispatcher.js';
import type { Dispatch } from './dispatch/types.js';
import type { HashKey, HashRequest } from './hash-key.js';
import type { FairleadRequestOptions } from './request-options.js';
import type { Target } from './target.js';
import { resolveWrapping, type WrapOptions } from './wrap-options.js';

export type { FairleadRequestOptions, HashKey, HashRequest, Target };

/** Options of {@link fairleadInterceptor}. */
export type FairleadInterceptorOptions = WrapOptions;

declare module 'undici' {
  namespace Dispatcher {
    interface DispatchOptions {
      /** Options of this request alone, for Fairlead. */
      fairlead?: FairleadRequestOptions | undefined;
    }
  }
}

/**
 * An interceptor for `compose`: where the host of a request's origin names a service of `target`, the request goes to
 * one of its instances, and to another when that fails and may be retried. Any other is dispatched as it is.
 */
export function fairleadInterceptor(
  target: Target,
  options: FairleadInterceptorOptions = {},
): Dispatcher.DispatcherComposeInterceptor {
  const wrapping = resolveWrapping('fairleadInterceptor', target, options);
  return (dispatch) =>
    serviceDispatch(wrapping, dispatch as unknown as Dispatch) as unknown as Dispatcher['dispatch'];
}
