/** The part of the npm package `consul` that is used, in our own words: its types stay out of our declarations. */

export interface ConsulLike {
  readonly health: { service(query: ConsulQuery): Promise<unknown> };
}

/** Options of `health.service`, named as the package names them. */
export interface ConsulQuery {
  readonly service: string;
  readonly dc?: string;
  readonly near?: string;
  readonly filter?: string;
  readonly stale?: boolean;
  readonly tag?: string | readonly string[];
  readonly 'node-meta'?: readonly string[];
  readonly token?: string;
  /** With both of these the query blocks until the index has moved on or the time is over. */
  readonly index?: string;
  readonly wait?: string;
  readonly ctx?: ConsulContext;
}

/** Makes the promise settle with `[response, body]`, and lets the query be cancelled by an event. */
export interface ConsulContext {
  readonly includeResponse: boolean;
  /** Set once cancelled: a request that has not begun must not begin. */
  readonly canceled: boolean;
  once(event: 'cancel', listener: () => void): unknown;
  removeListener(event: 'cancel', listener: () => void): unknown;
}
