import type { ClientView } from '../client-view.js';
import { realEnv } from '../env.js';
import { FairleadError } from '../errors.js';
import type { FairleadRequestOptions } from './request-options.js';

const { clock } = realEnv();

/** The time limit of one fetch. Each redirect to a service is a call of its own; all of them have the first one's time. */
export class FetchDeadline {
  readonly #startedAtMs = clock.now();

  constructor(private readonly own: FairleadRequestOptions | undefined) {}

  /**
   * The options of a call for a redirect: the request's own, with no more time than is left.
   *
   * @param first what the fetch began with; `undefined` for another host, which has no time limit of ours.
   * @throws {FairleadError} `ERR_FAIRLEAD_DEADLINE_EXCEEDED` when none is left.
   */
  optionsFor(
    client: ClientView,
    first: ClientView | undefined,
  ): FairleadRequestOptions | undefined {
    const { own } = this;
    const limitMs = own?.timeoutMs ?? timeoutOf(first);
    const leftMs = this.#startedAtMs + limitMs - clock.now();
    if (leftMs >= (own?.timeoutMs ?? timeoutOf(client))) return own;
    if (leftMs > 0) return { ...own, timeoutMs: leftMs };
    throw new FairleadError(
      'ERR_FAIRLEAD_DEADLINE_EXCEEDED',
      `Service "${client.service}": redirected to when timeoutMs ${String(limitMs)} had passed.`,
    );
  }
}

function timeoutOf(client: ClientView | undefined): number {
  return client?.inside?.options.timeoutMs ?? Infinity;
}
