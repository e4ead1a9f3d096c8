import type { Inside } from '../../client-view.js';
import { backgroundClock } from '../../env.js';
import type { Clock, Instance, Timer } from '../../types.js';
import { takersOf } from './takers.js';

/** What is known of a service: whom to connect to, or why nobody. */
export type Resolution =
  | { readonly kind: 'instances'; readonly instances: readonly Instance[] }
  | { readonly kind: 'nobody'; readonly why: string };

/** What time alone changes is looked at no more often than this. */
const LEAST_PAUSE_MS = 50;
/** Node's timers take no more. */
const LONGEST_PAUSE_MS = 2_147_483_647;

/**
 * Tells whom a service's calls can go to, now and on every change, never within the call that brought the change. Before
 * the first list it tells nothing, for `readyTimeoutMs` of the client. Never keeps the process alive.
 */
export class Feed {
  readonly #clock: Clock;
  readonly #patientUntilMs: number;
  #told: Resolution | undefined;
  #timer: Timer | undefined;
  #isDue = false;
  #isClosed = false;

  constructor(
    private readonly inside: Inside,
    private readonly tell: (resolution: Resolution) => void,
  ) {
    this.#clock = backgroundClock(inside.env.clock);
    this.#patientUntilMs = this.#clock.now() + inside.options.readyTimeoutMs;
    inside.news.add(this.#onNews);
    this.#onNews();
  }

  /** Connections fail: the source is asked for fresh data, at most once a second, and what it is in trouble with is told. */
  wantFresh(): void {
    this.inside.set.wantFresh(this.#clock.now());
    this.#onNews();
  }

  /** Nothing is told afterwards. */
  close(): void {
    this.#isClosed = true;
    this.inside.news.delete(this.#onNews);
    this.#timer?.cancel();
  }

  /** Once for many at a time, and when whoever brings them is done. */
  readonly #onNews = (): void => {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#look();
    });
  };

  #look(): void {
    if (this.#isClosed) return;
    const nowMs = this.#clock.now();
    const found = this.#find(nowMs);
    this.#lookAgain(found, nowMs);
    if (found === undefined || isSame(found, this.#told)) return;
    this.#told = found;
    this.tell(found);
  }

  /** `undefined` while that has to be waited for. */
  #find(nowMs: number): Resolution | undefined {
    const { set, selection, options } = this.inside;
    const { service, readyTimeoutMs } = options;
    if (!set.isAnswered() || selection.isPending(nowMs)) {
      if (nowMs < this.#patientUntilMs) return undefined;
      const what = `was not ready within readyTimeoutMs ${String(readyTimeoutMs)}`;
      return this.#nobody(`Service "${service}" ${what}`);
    }
    const instances = takersOf(this.inside, nowMs);
    return instances.length > 0
      ? { kind: 'instances', instances }
      : this.#nobody(`Service "${service}"`);
  }

  #nobody(who: string): Resolution {
    const { selection, set } = this.inside;
    return { kind: 'nobody', why: `${who}: ${selection.nothing()[1]}${set.troubleText}.` };
  }

  /** When time alone may change it. */
  #lookAgain(found: Resolution | undefined, nowMs: number): void {
    this.#timer?.cancel();
    const changesAtMs = this.inside.selection.changesAtMs(nowMs);
    const atMs = found === undefined ? Math.min(changesAtMs, this.#patientUntilMs) : changesAtMs;
    if (atMs === Infinity) return;
    const pauseMs = Math.min(Math.max(atMs - nowMs, LEAST_PAUSE_MS), LONGEST_PAUSE_MS);
    this.#timer = this.#clock.setTimer(pauseMs, () => {
      this.#look();
    });
  }
}

/** An instance that is described anew is another object. */
function isSame(a: Resolution, b: Resolution | undefined): boolean {
  if (a.kind === 'nobody') return b?.kind === 'nobody' && a.why === b.why;
  return (
    b?.kind === 'instances' &&
    a.instances.length === b.instances.length &&
    a.instances.every((instance, i) => instance === b.instances[i])
  );
}
