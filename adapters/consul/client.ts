/** The part of the npm package `consul` that is used, in our own words: its types stay out of our declarations. */

/** A client made by the npm package `consul`: `new Consul({ ... })`. */
export interface ConsulLike {
  readonly agent: object;
  readonly health: object;
  readonly kv: object;
  readonly session: object;
}

/**
 * What every call of the package goes through: `papi`, on which it is built, makes requests for clients by this method.
 * It is used directly, for the package's own methods drop what they do not know: `cached`, `ns`, `peer`, `Weights`.
 */
export interface PapiClient {
  _request(
    options: PapiRequest,
    finish: (request: PapiExchange, next: (stop: false, value: PapiExchange) => void) => void,
  ): Promise<unknown>;
  /** The `defaults` that the client was made with. */
  readonly _defaults?: Readonly<Record<string, unknown>> | undefined;
}

export interface PapiRequest {
  /** Precedes papi's own messages. */
  readonly name: string;
  readonly method: string;
  /** Below the base URL; what stands in braces is taken from `params` and encoded. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | readonly string[]>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly type: 'json';
  /** Hands the body on as it came. */
  readonly buffer: true;
  readonly ctx: ConsulContext;
}

/** What papi knows at the end: an error of the connection, or a response, with an error where its status is not 2xx. */
export interface PapiExchange {
  readonly err?: unknown;
  readonly res?: unknown;
}

/** Lets a request be cancelled by an event. */
export interface ConsulContext {
  /** Set once cancelled: a request that has not begun must not begin. */
  readonly canceled: boolean;
  once(event: 'cancel', listener: () => void): unknown;
  removeListener(event: 'cancel', listener: () => void): unknown;
}

export function isPapiClient(client: object): client is PapiClient {
  return typeof (client as Partial<PapiClient>)._request === 'function';
}
