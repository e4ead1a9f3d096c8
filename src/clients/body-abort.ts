/** Bodies that a caller's signal is to reach, by what aborts them. */
class Bodies {
  readonly #aborters = new Set<WeakRef<AbortController>>();

  constructor(private readonly signal: AbortSignal) {
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  add(aborter: AbortController): void {
    const ref = new WeakRef(aborter);
    this.#aborters.add(ref);
    gone.register(aborter, () => {
      this.#aborters.delete(ref);
      if (this.#aborters.size > 0) return;
      this.signal.removeEventListener('abort', this.#onAbort);
      if (bodiesOf.get(this.signal) === this) bodiesOf.delete(this.signal);
    });
  }

  readonly #onAbort = (): void => {
    for (const ref of this.#aborters) ref.deref()?.abort(this.signal.reason);
  };
}

const bodiesOf = new WeakMap<AbortSignal, Bodies>();

/** What aborts a body, for as long as somebody has that. */
const aborterOf = new WeakMap<ReadableStream, AbortController>();

const gone = new FinalizationRegistry<() => void>((forget) => {
  forget();
});

/**
 * Has the caller's `signal` reach the body of `reply`, which outlives its call, by `aborter`. Not with
 * `AbortSignal.any`: a signal that lives as long as the application would keep a trace of every call
 * (nodejs/node#55351, #64476).
 */
export function abortBody({ body }: Response, signal: AbortSignal, aborter: AbortController): void {
  if (body === null) return;
  if (signal.aborted) {
    aborter.abort(signal.reason);
    return;
  }
  aborterOf.set(body, aborter);
  let bodies = bodiesOf.get(signal);
  if (bodies === undefined) {
    bodies = new Bodies(signal);
    bodiesOf.set(signal, bodies);
  }
  bodies.add(aborter);
}

/** Aborts with `signal`, that of an attempt, and can go on where that ends: it reaches a body, too. */
export function follower(signal: AbortSignal): AbortController {
  const controller = new AbortController();
  const onAbort = (): void => {
    controller.abort(signal.reason);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return controller;
}
