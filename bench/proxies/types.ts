/** What a reverse proxy is to be started with. */
export interface ProxyPlan {
  /** Of the backends, on 127.0.0.1. */
  readonly ports: readonly number[];
  /**
   * `plain`: least connections and kept connections, all else as the program has it. `tuned`: what an expert sets for
   * fast failover. See the configuration files beside this one.
   */
  readonly profile: 'plain' | 'tuned';
  /** How long `tuned` lets a backend be silent before it tries another, in ms. Default 250. */
  readonly silentMs?: number;
  /** What the health checks of `tuned` haproxy ask for with GET. Default `/`. nginx has no health checks. */
  readonly checkPath?: string;
}

/** A running one: one process of one thread, on loopback. */
export interface Proxy {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** Of the program, such as `2.6.12`. */
  readonly version: string;
  readonly pid: number;
  /** Ends it and waits until it is gone. */
  stop(): Promise<void>;
}
