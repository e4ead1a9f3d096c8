/** The dispatcher that a fetch of undici's is given: its requests to a service become calls. */
import { serviceDispatch } from './dispatch/dispatcher.js';
import type { Dispatch, DispatchOptions } from './dispatch/types.js';
import type { ClientView } from '../client-view.js';
import { isFairleadError } from '../errors.js';
import { FetchDeadline } from './fetch-deadline.js';
import { belowOf, type FetchDispatcher } from './fetch-below.js';
import type { HashKeyReader } from './hash-key.js';
import type { FairleadRequestOptions } from './request-options.js';
import { clientFor } from './route.js';
import type { Wrapping } from './wrap-options.js';

/** What the fetches of one wrapper have in common. */
export class FetchRoute {
  readonly wrapping: Wrapping;
  readonly #dispatch: Dispatch;
  /** By what sends, where a fetch brings its own. */
  readonly #others = new WeakMap<FetchDispatcher, Dispatch>();

  /** @param dispatcher what sends, to instances and to all other hosts; `undefined` for the global one. */
  constructor(
    wrapping: Wrapping,
    readonly dispatcher: FetchDispatcher | undefined,
  ) {
    const { readHashKey } = wrapping;
    this.wrapping =
      readHashKey === undefined ? wrapping : { ...wrapping, readHashKey: markingOwn(readHashKey) };
    this.#dispatch = this.#through(dispatcher);
  }

  /** Sends requests to services as calls. @param own what sends, where it is not the wrapper's. */
  dispatchThrough(own: FetchDispatcher | undefined): Dispatch {
    if (own === undefined) return this.#dispatch;
    let dispatch = this.#others.get(own);
    if (dispatch === undefined) {
      dispatch = this.#through(own);
      this.#others.set(own, dispatch);
    }
    return dispatch;
  }

  /** The client of a service by an origin of its name. */
  find(origin: DispatchOptions['origin']): ClientView | undefined {
    if (!URL.canParse(String(origin))) return undefined;
    return clientFor({ target: this.wrapping.target, strict: false }, new URL(String(origin)));
  }

  #through(dispatcher: FetchDispatcher | undefined): Dispatch {
    return serviceDispatch(this.wrapping, (options, handler) =>
      belowOf(dispatcher, handler).dispatch(options, handler),
    );
  }
}

/** What the application's own function threw: fetch makes anything a cause of its error, and this is to be told as it is. */
export class OwnError extends Error {
  constructor(readonly error: unknown) {
    super('The function that makes hash keys threw.');
  }
}

function markingOwn(read: HashKeyReader): HashKeyReader {
  return (request) => {
    try {
      return read(request);
    } catch (error) {
      throw isFairleadError(error) ? error : new OwnError(error);
    }
  };
}

/** For one fetch: the request, and those it is redirected to. */
export class ServiceDispatcher {
  readonly #deadline: FetchDeadline;
  #first: DispatchOptions['origin'];

  /** @param own what sends this fetch alone. */
  constructor(
    private readonly route: FetchRoute,
    private readonly own: FetchDispatcher | undefined,
    private readonly fairlead: FairleadRequestOptions | undefined,
  ) {
    this.#deadline = new FetchDeadline(fairlead);
  }

  /** Asked for by fetch. */
  get isMockActive(): boolean | undefined {
    return belowOf(this.own ?? this.route.dispatcher)?.isMockActive;
  }

  dispatch(options: DispatchOptions, handler: object): boolean {
    let { fairlead } = this;
    if (this.#first === undefined) {
      this.#first = options.origin;
    } else {
      const client = this.route.find(options.origin);
      if (client !== undefined) {
        const first = this.route.find(this.#first);
        fairlead = this.#deadline.optionsFor(client, first);
        // What the caller asked for with https is not sent in the clear because an instance says so.
        if (client === first && String(this.#first).startsWith('https:')) {
          options = { ...options, origin: String(options.origin).replace(/^http:/, 'https:') };
        }
      }
    }
    const dispatch = this.route.dispatchThrough(this.own);
    return dispatch(fairlead === undefined ? options : { ...options, fairlead }, handler);
  }
}
