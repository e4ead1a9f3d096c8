/** Requests over dispatchers of the test's own, which tell of each attempt what the test says. */
import { serviceDispatch } from '../../src/clients/dispatch/dispatcher.js';
import type {
  Controller,
  Dispatch,
  DispatchOptions,
  NewerHandler,
  OlderHandler,
  Sender,
  Style,
} from '../../src/clients/dispatch/types.js';
import { resolveWrapping, type WrapOptions } from '../../src/clients/wrap-options.js';
import type { Client } from '../../src/client.js';
import { settle } from '../../src/testing/manual-clock.js';

type Handler = OlderHandler & NewerHandler;

/** One attempt as the dispatcher sees it. What it is told to do it does at once. */
export class Attempted {
  readonly aborts: unknown[] = [];
  resumed = 0;
  paused = false;
  readonly controller: Controller;
  readonly #isOlder: boolean;

  constructor(
    readonly options: DispatchOptions,
    readonly handler: Handler,
  ) {
    this.#isOlder = !('onRequestStart' in handler);
    const abort = (reason: unknown): void => {
      this.aborts.push(reason);
      this.fail(reason);
    };
    const resume = (): void => {
      this.paused = false;
      this.resumed++;
    };
    const pause = (): void => {
      this.paused = true;
    };
    this.controller = { aborted: false, paused: false, reason: null, abort, pause, resume };
  }

  start(context?: unknown): void {
    if (this.#isOlder) this.handler.onConnect(this.controller.abort, context);
    else this.handler.onRequestStart?.(this.controller, context);
  }

  head(status: number, headers: Readonly<Record<string, string>> = {}): void {
    const raw = Object.entries(headers)
      .flat()
      .map((text) => Buffer.from(text));
    if (this.#isOlder) {
      const { resume } = this.controller;
      if (this.handler.onHeaders?.(status, raw, resume, 'text') === false) this.paused = true;
    } else {
      this.controller.rawHeaders = raw;
      this.handler.onResponseStart?.(this.controller, status, headers, 'text');
    }
  }

  data(text: string): void {
    const chunk = Buffer.from(text);
    if (!this.#isOlder) this.handler.onResponseData?.(this.controller, chunk);
    else if (this.handler.onData?.(chunk) === false) this.paused = true;
  }

  end(trailers: Readonly<Record<string, string>> = {}): void {
    if (this.#isOlder) this.handler.onComplete?.(Object.entries(trailers).flat());
    else this.handler.onResponseEnd?.(this.controller, trailers);
  }

  fail(error: unknown): void {
    if (this.#isOlder) this.handler.onError(error);
    else this.handler.onResponseError?.(this.controller, error);
  }
}

/** What a listener was told, in order. */
export interface Told {
  readonly log: string[];
  readonly errors: unknown[];
  readonly handler: object;
  /** False: it wants no more for now. */
  wants: boolean;
  /** What it throws at the event of this name. */
  throwsAt: string | undefined;
  abort(reason?: unknown): void;
  resume(): void;
}

export function telling(style: Style): Told {
  let abort: (reason?: unknown) => void = () => undefined;
  let resume: () => void = () => undefined;
  const note = (what: string): void => {
    told.log.push(what);
    if (told.throwsAt === what) throw new Error(`thrown at ${what}`);
  };
  const older: OlderHandler = {
    onConnect: (given) => {
      abort = given;
      note('start');
    },
    onHeaders: (status, _headers, given) => {
      resume = given;
      note(`head ${String(status)}`);
      return told.wants;
    },
    onData: (chunk) => {
      note(`data ${chunk.toString()}`);
      return told.wants;
    },
    onUpgrade: (status) => {
      note(`upgrade ${String(status)}`);
    },
    onComplete: () => {
      note('end');
    },
    onError: (error) => {
      told.errors.push(error);
      note('error');
    },
  };
  const newer: NewerHandler = {
    onRequestStart: (controller) => {
      abort = (reason) => {
        controller.abort(reason);
      };
      resume = () => {
        controller.resume();
      };
      note('start');
    },
    onResponseStart: (controller, status) => {
      if (!told.wants) controller.pause();
      note(`head ${String(status)}`);
    },
    onResponseData: (controller, chunk) => {
      if (!told.wants) controller.pause();
      note(`data ${chunk.toString()}`);
    },
    onRequestUpgrade: (_controller, status) => {
      note(`upgrade ${String(status)}`);
    },
    onResponseEnd: () => {
      note('end');
    },
    onResponseError: (_controller, error) => {
      told.errors.push(error);
      note('error');
    },
  };
  const told: Told = {
    log: [],
    errors: [],
    handler: style === 'older' ? older : newer,
    wants: true,
    throwsAt: undefined,
    abort: (reason) => {
      abort(reason);
    },
    resume: () => {
      told.wants = true;
      resume();
    },
  };
  return told;
}

export interface DispatchRig {
  /** The attempts dispatched so far. */
  readonly attempts: Attempted[];
  /** Sends a request, and lets what is due settle. */
  send(told: Told, options?: Partial<DispatchOptions>): Promise<void>;
}

/** Over a client that has its first list. */
export function dispatching(
  client: Client,
  options: WrapOptions = {},
  sender: Omit<Sender, 'dispatch'> = {},
): DispatchRig {
  const attempts: Attempted[] = [];
  const dispatch: Dispatch = (request, handler) => {
    attempts.push(new Attempted(request, handler as Handler));
    return true;
  };
  const wrapping = resolveWrapping('test', client, options);
  const wrapped = serviceDispatch(wrapping, dispatch, () => ({ ...sender, dispatch }));
  return {
    attempts,
    send: async (told, given) => {
      wrapped({ origin: 'http://orders', path: '/', method: 'GET', ...given }, told.handler);
      await settle();
    },
  };
}
