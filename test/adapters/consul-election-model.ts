/** Consul's sessions and locks in memory, and processes that talk to it over bad links, all on one manual clock. */
import { isDeepStrictEqual } from 'node:util';
import type { ConsulLike } from '../../adapters/consul.js';
import type { PapiClient, PapiRequest } from '../../adapters/consul/client.js';
import { electLeader, type Election } from '../../adapters/consul/election.js';
import type { ElectionOptions } from '../../adapters/consul/election/options.js';
import { sleepOn } from '../../src/env.js';
import { type ManualClock, settle } from '../../src/testing/manual-clock.js';
import type { Clock, Rng, Timer } from '../../src/types.js';
import { half } from './consul-scene.js';

export const KEY = 'service/orders/leader';

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly index?: number;
}

interface Session {
  readonly ttlMs: number;
  readonly lockDelayMs: number;
  expiry: Timer;
}

interface Entry {
  value: string;
  session: string | undefined;
  lockIndex: number;
  flags: number;
  readonly createIndex: number;
  modifyIndex: number;
}

/**
 * The rules as Consul 1.8.7 was seen to have them, but a session ends as soon as it may: its time to live after the last
 * renewal, where Consul takes up to twice as long.
 */
export class ConsulModel {
  index = 10;
  readonly sessions = new Map<string, Session>();
  /** Bodies of the sessions that were asked for. */
  readonly created: Record<string, unknown>[] = [];
  entry: Entry | undefined;
  #lockedUntilMs = -Infinity;
  #nextSession = 1;
  readonly #parked = new Set<() => void>();

  constructor(readonly clock: ManualClock) {}

  /** Blocking reads that wait for a change. */
  get parked(): number {
    return this.#parked.size;
  }

  /** Calls `reply` with the answer, at once or when the key changes. @returns what takes the request back. */
  handle(request: PapiRequest, reply: (answer: Answer) => void): () => void {
    const path = request.path.replace(
      /\{(\w+)\}/g,
      (_, name: string) => request.params[name] ?? '',
    );
    if (request.method === 'GET' && 'index' in request.query) return this.#park(request, reply);
    reply(this.#answer(request.method, path, request));
    return () => undefined;
  }

  /** As an operator does, or a check that turns critical. */
  destroySession(id: string): void {
    const session = this.sessions.get(id);
    if (session === undefined) return;
    session.expiry.cancel();
    this.sessions.delete(id);
    this.index++;
    if (this.entry?.session !== id) return;
    this.#lockedUntilMs = this.clock.now() + session.lockDelayMs;
    this.#write({ session: undefined });
  }

  deleteKey(): void {
    if (this.entry === undefined) return;
    this.index++;
    this.entry = undefined;
    this.#wake();
  }

  /** A plain write to the key, by whoever should not. */
  overwrite(value: string): void {
    if (this.entry !== undefined) this.#write({ value, flags: 0, lockIndex: 0 });
  }

  release(): void {
    if (this.entry?.session !== undefined) this.#write({ session: undefined });
  }

  /** As a dev agent that is killed and started again. */
  loseState(): void {
    for (const { expiry } of this.sessions.values()) expiry.cancel();
    this.sessions.clear();
    this.entry = undefined;
    this.index = 5;
    this.#lockedUntilMs = -Infinity;
    this.#wake();
  }

  #answer(method: string, path: string, { query, body }: PapiRequest): Answer {
    const [, area, verb = '', id = ''] = path.split('/');
    if (area === 'kv') {
      if (method === 'GET') return this.#read();
      const text = String(body);
      const flags = Number(query['flags'] ?? 0);
      if (query['acquire'] !== undefined)
        return this.#acquire(String(query['acquire']), text, flags);
      return yes(this.#unlock(String(query['release']), text, flags));
    }
    if (verb === 'create') return this.#create(body as Record<string, unknown>);
    if (verb === 'destroy') {
      this.destroySession(id);
      return yes(true);
    }
    const session = this.sessions.get(id);
    if (session === undefined) return { status: 404, body: `Session id '${id}' not found` };
    this.#prolong(id, session);
    return { status: 200, body: JSON.stringify([{ ID: id }]) };
  }

  #read(): Answer {
    if (this.entry === undefined) return { status: 404, body: '', index: this.index };
    const { value, session, lockIndex, flags, createIndex, modifyIndex } = this.entry;
    const shown = {
      Key: KEY,
      Value: value === '' ? null : Buffer.from(value).toString('base64'),
      ...(session === undefined ? {} : { Session: session }),
      LockIndex: lockIndex,
      Flags: flags,
      CreateIndex: createIndex,
      ModifyIndex: modifyIndex,
    };
    return { status: 200, body: JSON.stringify([shown]), index: modifyIndex };
  }

  #park({ query }: PapiRequest, reply: (answer: Answer) => void): () => void {
    const index = Number(query['index']);
    const waitMs = Number(/^(\d+)ms$/.exec(String(query['wait']))?.[1]);
    if (!(waitMs > 0))
      throw new Error(`a wait of ${String(query['wait'])} is five minutes to Consul`);
    const end = (): void => {
      timer.cancel();
      this.#parked.delete(look);
    };
    const look = (): void => {
      if (this.entry !== undefined && this.entry.modifyIndex <= index) return;
      end();
      reply(this.#read());
    };
    const timer = this.clock.setTimer(waitMs, () => {
      end();
      reply(this.#read());
    });
    this.#parked.add(look);
    look();
    return end;
  }

  #create(body: Record<string, unknown>): Answer {
    this.created.push(body);
    const id = `session-${this.#nextSession++}`;
    const ttlMs = Number.parseInt(String(body['TTL']), 10);
    const lockDelayMs = Number.parseInt(String(body['LockDelay']), 10);
    this.index++;
    const session = { ttlMs, lockDelayMs, expiry: { cancel() {}, unref() {} } };
    this.sessions.set(id, session);
    this.#prolong(id, session);
    return { status: 200, body: JSON.stringify({ ID: id }) };
  }

  #prolong(id: string, session: Session): void {
    session.expiry.cancel();
    session.expiry = this.clock.setTimer(session.ttlMs, () => this.destroySession(id));
  }

  #acquire(session: string, value: string, flags: number): Answer {
    if (!this.sessions.has(session)) return { status: 500, body: `invalid session "${session}"` };
    if (this.clock.now() < this.#lockedUntilMs) return yes(false);
    if (this.entry === undefined) {
      this.index++;
      const [createIndex, modifyIndex] = [this.index, this.index];
      this.entry = { value, session, lockIndex: 1, flags, createIndex, modifyIndex };
      this.#wake();
      return yes(true);
    }
    const { session: holder, lockIndex } = this.entry;
    if (holder !== undefined && holder !== session) return yes(false);
    this.#write({
      value,
      session,
      flags,
      lockIndex: holder === session ? lockIndex : lockIndex + 1,
    });
    return yes(true);
  }

  #unlock(session: string, value: string, flags: number): boolean {
    if (this.entry?.session !== session) return false;
    this.#write({ session: undefined, value, flags });
    return true;
  }

  #write(change: Partial<Entry>): void {
    if (this.entry === undefined) return;
    const changed = { ...this.entry, ...change };
    // A write that changes nothing is none.
    if (isDeepStrictEqual(changed, this.entry)) return;
    this.index++;
    this.entry = { ...changed, modifyIndex: this.index };
    this.#wake();
  }

  #wake(): void {
    for (const look of [...this.#parked]) look();
  }
}

const yes = (body: boolean): Answer => ({ status: 200, body: String(body) });

/** What becomes of one request. */
export type Fate =
  | 'good'
  /** It never gets there, or its reply never gets back. */
  | 'lost'
  | 'reply-lost'
  | 'refused'
  | { readonly toMs: number; readonly backMs: number }
  | { readonly status: number; readonly body?: string };

export interface SentRequest {
  readonly name: RequestName;
  readonly atMs: number;
  readonly query: PapiRequest['query'];
  readonly token: string | undefined;
}

export type RequestName =
  'create' | 'renew' | 'destroy' | 'read' | 'park' | 'read back' | 'acquire' | 'release';

function nameOf({ path, method, query }: PapiRequest): RequestName {
  const verb = /^\/session\/(create|renew|destroy)/.exec(path)?.[1];
  if (verb !== undefined) return verb as RequestName;
  if (method === 'PUT') return 'acquire' in query ? 'acquire' : 'release';
  return 'consistent' in query ? 'read back' : 'index' in query ? 'park' : 'read';
}

/** A candidate in a process of its own, which can be stopped and continued as by SIGSTOP and SIGCONT. */
export class Process {
  readonly election: Election;
  readonly client: ConsulLike & PapiClient = this.#client();
  readonly events: string[] = [];
  readonly faults: string[] = [];
  readonly requests: SentRequest[] = [];
  fate: (request: SentRequest) => Fate = () => 'good';
  readonly #timers = new Set<Timer>();
  #stopped = false;
  #due: (() => void)[] = [];
  #delivered: (() => void)[] = [];

  constructor(
    readonly consul: ConsulModel,
    options: Partial<ElectionOptions> = {},
    rng: Rng = half,
  ) {
    this.election = electLeader({
      key: KEY,
      client: this.client,
      env: { clock: this.#clock(), rng },
      ...options,
    });
    this.election.on('elected', ({ fencingToken }) => this.events.push(`elected ${fencingToken}`));
    this.election.on('lost', ({ reason }) => this.events.push(reason));
    this.election.on('fault', ({ message }) => this.faults.push(message));
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** The requests of one kind so far. */
  sent(name: RequestName): readonly SentRequest[] {
    return this.requests.filter((request) => request.name === name);
  }

  /** No timer of it fires and no reply reaches it; time goes on. */
  stop(): void {
    this.#stopped = true;
  }

  /** In Node what is due mostly runs first; not so where it was a callback of a socket that took long. */
  async continue(first: 'timers' | 'replies' = 'timers'): Promise<void> {
    this.#stopped = false;
    const queues = [this.#due.splice(0), this.#delivered.splice(0)];
    if (first === 'replies') queues.reverse();
    for (const fn of queues.flat()) {
      fn();
      await settle();
    }
  }

  #clock(): Clock {
    const { clock } = this.consul;
    const setTimer = (ms: number, fn: () => void): Timer => {
      let isCancelled = false;
      const run = (): void => {
        if (isCancelled) return;
        this.#timers.delete(timer);
        fn();
      };
      const inner = clock.setTimer(ms, () => {
        if (this.#stopped) this.#due.push(run);
        else run();
      });
      const timer = {
        cancel: () => {
          isCancelled = true;
          this.#timers.delete(timer);
          inner.cancel();
        },
        unref: () => undefined,
      };
      this.#timers.add(timer);
      return timer;
    };
    return {
      now: () => clock.now(),
      setTimer,
      sleep: (ms, signal) => sleepOn({ setTimer }, ms, signal),
    };
  }

  #deliver(fn: () => void): void {
    if (this.#stopped) this.#delivered.push(fn);
    else fn();
  }

  #client(): ConsulLike & PapiClient {
    return { agent: {}, health: {}, kv: {}, session: {}, _request: (sent) => this.#send(sent) };
  }

  #send(request: PapiRequest): Promise<unknown> {
    const { clock } = this.consul;
    if (request.ctx.canceled) return Promise.reject(new Error('ctx already canceled'));
    return new Promise((resolve, reject) => {
      const sent = {
        name: nameOf(request),
        atMs: clock.now(),
        query: request.query,
        token: request.headers['x-consul-token'],
      };
      this.requests.push(sent);
      let takeBack: () => void = () => undefined;
      request.ctx.once('cancel', () => {
        takeBack();
        reject(new Error('request aborted'));
      });
      const reply = ({ status, body, index }: Answer): void => {
        const headers = {
          'content-type': 'application/json',
          ...(index === undefined ? {} : { 'x-consul-index': String(index) }),
        };
        const res = { statusCode: status, headers, body: Buffer.from(body) };
        this.#deliver(() => resolve({ res }));
      };
      const fate = this.fate(sent);
      if (fate === 'lost') return;
      if (fate === 'refused') {
        const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
        this.#deliver(() => reject(refused));
      } else if (fate === 'good') {
        takeBack = this.consul.handle(request, reply);
      } else if (fate === 'reply-lost') {
        takeBack = this.consul.handle(request, () => undefined);
      } else if ('status' in fate) {
        reply({ body: '', ...fate });
      } else {
        // What is on its way arrives, though nobody may wait for it any more.
        clock.setTimer(fate.toMs, () => {
          takeBack = this.consul.handle(request, (answer) => {
            clock.setTimer(fate.backMs, () => reply(answer));
          });
        });
      }
    });
  }
}
