import type { ClientRequest } from 'node:http';
import { FairleadError } from '../../errors.js';
import { clientFor } from '../route.js';
import type { Wrapping } from '../wrap-options.js';
import { hashRequest, hostOf } from './asked.js';
import type { InnerAgents } from './inner-agents.js';
import { addRequest, failRequest, type SentOptions } from './node-internals.js';
import { Passage } from './passage.js';

export interface RouterDeps {
  readonly wrapping: Wrapping;
  readonly agents: InnerAgents;
  readonly connectTimeoutMs: number;
}

/** Sends what names a service to one of its instances, and anything else where it says. */
export class RequestRouter {
  readonly #passages = new Set<Passage>();
  #isDestroyed = false;

  constructor(private readonly deps: RouterDeps) {}

  get agents(): InnerAgents {
    return this.deps.agents;
  }

  /** Never throws: the request is not made yet, and nobody could listen to it. */
  route(request: ClientRequest, options: SentOptions, isSecure: boolean): void {
    try {
      this.#route(request, options, isSecure);
    } catch (error) {
      failRequest(request, error as Error);
    }
  }

  #route(request: ClientRequest, options: SentOptions, isSecure: boolean): void {
    if (this.#isDestroyed) throw destroyed();
    const { wrapping, agents, connectTimeoutMs } = this.deps;
    const { host, hostname } = hostOf(options, isSecure ? 443 : 80);
    // A Unix socket is where it is, whatever the host says.
    const path = options.socketPath ?? undefined;
    const url = path === undefined ? { host, hostname } : { host: path, hostname: path };
    const client = clientFor(wrapping, url);
    if (client === undefined) {
      addRequest(isSecure ? agents.https : agents.http, request, options);
      return;
    }
    const origin = `${isSecure ? 'https' : 'http'}://${host}`;
    const hashKey = wrapping.readHashKey?.(hashRequest(request, options, origin));
    const passages = this.#passages;
    const passage = new Passage(request, options, {
      client,
      agents,
      hostname,
      isSecure,
      hashKey,
      connectTimeoutMs,
      onOver: () => {
        passages.delete(passage);
      },
    });
    passages.add(passage);
    passage.begin();
  }

  /** Ends every request under way; what comes after is refused. */
  destroy(): void {
    this.#isDestroyed = true;
    for (const passage of this.#passages) passage.destroy(destroyed());
    this.#passages.clear();
    this.deps.agents.destroy();
  }
}

function destroyed(): FairleadError {
  return new FairleadError('ERR_FAIRLEAD_CLOSED', 'The agents of leaseAgents() were destroyed.');
}
