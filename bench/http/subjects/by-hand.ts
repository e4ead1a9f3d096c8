/**
 * The least that any balancer costs in the place where ours is: two backends drawn, the one with less in flight taken, and
 * told when its answer has ended. No limit, retry, breaker, budget, event or measurement.
 */
import type { AxiosInstance } from 'axios';
import type { Dispatcher } from 'undici';

interface Backend {
  readonly origin: string;
  inFlight: number;
}

/** Takes one of two drawn, and counts it as busy. */
function twoChoices(origins: readonly string[]): () => Backend {
  const backends = origins.map((origin): Backend => ({ origin, inFlight: 0 }));
  const draw = (): Backend => {
    const drawn = backends[Math.floor(Math.random() * backends.length)];
    if (drawn === undefined) throw new Error('nothing to draw from');
    return drawn;
  };
  return () => {
    const [first, second] = [draw(), draw()];
    const better = second.inFlight < first.inFlight ? second : first;
    better.inFlight++;
    return better;
  };
}

/** For `compose`. */
export function byHand(origins: readonly string[]): Dispatcher.DispatcherComposeInterceptor {
  const take = twoChoices(origins);
  return (dispatch) => (options, handler) => {
    const backend = take();
    // Not spread: what undici reads of an object that was spread costs it 5 us.
    const sent: Dispatcher.DispatchOptions = Object.assign({}, options);
    sent.origin = backend.origin;
    return dispatch(sent, new Counting(handler, backend));
  };
}

class Counting implements Dispatcher.DispatchHandler {
  constructor(
    private readonly handler: Dispatcher.DispatchHandler,
    private readonly backend: Backend,
  ) {}

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.handler.onRequestStart?.(controller, context);
  }

  onResponseStart(...args: Parameters<NonNullable<typeof this.handler.onResponseStart>>): void {
    this.handler.onResponseStart?.(...args);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(...args: Parameters<NonNullable<typeof this.handler.onResponseEnd>>): void {
    this.backend.inFlight--;
    this.handler.onResponseEnd?.(...args);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.backend.inFlight--;
    this.handler.onResponseError?.(controller, error);
  }
}

/** An axios whose requests go to one of them. */
export function axiosByHand(http: AxiosInstance, origins: readonly string[]): AxiosInstance {
  const take = twoChoices(origins);
  const busy = new WeakMap<object, Backend>();
  const free = (config: object | undefined): void => {
    const backend = config && busy.get(config);
    if (backend !== undefined) backend.inFlight--;
  };
  http.interceptors.request.use((config) => {
    const backend = take();
    busy.set(config, backend);
    config.baseURL = backend.origin;
    return config;
  });
  http.interceptors.response.use(
    (response) => {
      free(response.config);
      return response;
    },
    (error: Error & { readonly config?: object }) => {
      free(error.config);
      throw error;
    },
  );
  return http;
}

/** A fetch whose paths are one of theirs. */
export function fetchByHand(origins: readonly string[]): (path: string) => Promise<Response> {
  const take = twoChoices(origins);
  return async (path) => {
    const backend = take();
    try {
      return await fetch(`${backend.origin}${path}`);
    } finally {
      backend.inFlight--;
    }
  };
}
