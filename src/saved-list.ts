import { readSnapshot } from './discovery.js';
import { backgroundClock, wallClockOf } from './env.js';
import { show } from './errors.js';
import {
  decodeSavedList,
  encodeSavedList,
  type ListOwner,
  readSavedFile,
  removeLeftOvers,
  removeSavedFile,
  savedListPath,
  writeSavedFile,
} from './saved-list-file.js';
import type { ResolvedSavedList } from './saved-list-options.js';
import { countTaking, type InstanceList } from './shrink-guard.js';
import type { DiscoveryFault, Env, Timer } from './types.js';

/** The file is written at most this often. */
const WRITE_EVERY_MS = 1_000;
/** A list that is merely confirmed, and a write that failed, is written again after this at the earliest. */
const REFRESH_AT_LEAST_MS = 60_000;
/** How long `close` waits for the disk. */
const CLOSE_WITHIN_MS = 2_000;

/** A list of an earlier run. */
export interface RestoredList {
  readonly instances: InstanceList;
  /** When it was last confirmed, in epoch ms. */
  readonly savedAt: number;
}

/**
 * The list of one service on disk: written when it changes, read once at a cold start. It never throws: what fails is
 * told, once until it works again.
 */
export class SavedList {
  readonly #path: string;
  readonly #wallClock: () => number;
  /** What the file shall hold, and does not yet. */
  #wanted: InstanceList | 'nothing' | undefined;
  /** What it holds, as far as is known: a list of this time (epoch ms). */
  #holds: number | 'nothing' | undefined;
  #timer: Timer | undefined;
  #reading: Promise<void> | undefined;
  /** A write under way; never rejects. */
  #writing: Promise<void> | undefined;
  #lastWriteMs = -Infinity;
  #isFailing = false;
  #hasTidied = false;
  #isClosed = false;

  constructor(
    private readonly owner: ListOwner,
    private readonly options: ResolvedSavedList,
    private readonly env: Env,
    private readonly onFault: (fault: DiscoveryFault) => void,
  ) {
    this.#path = savedListPath(options.folder, owner);
    this.#wallClock = wallClockOf(env);
  }

  /** The list of an earlier run, if there is one that can be used. */
  read(): Promise<RestoredList | undefined> {
    const reading = this.#read();
    this.#reading = reading.then(() => undefined);
    return reading;
  }

  /** The source's list has changed to this. */
  save(list: InstanceList): void {
    this.#want(list);
  }

  /** The source's list is the same as before, and current. */
  confirm(list: InstanceList): void {
    if (this.#wanted === undefined && !this.#isFresh()) this.#want(list);
  }

  /** The source has no instances: an earlier list must not come back. */
  remove(): void {
    if (this.#holds !== 'nothing' || this.#wanted !== undefined) this.#want('nothing');
  }

  /** Writes what is still to be written. Resolves when nothing is under way any more, or that takes too long. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#begin();
    let limit: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      limit = backgroundClock(this.env.clock).setTimer(CLOSE_WITHIN_MS, resolve);
    });
    await Promise.race([this.#idle(), late]);
    limit?.cancel();
  }

  async #read(): Promise<RestoredList | undefined> {
    try {
      const text = await inTurn(() => readSavedFile(this.#path));
      if (text === undefined) return undefined;
      const { maxAgeMs } = this.options;
      const found = decodeSavedList(text, this.owner, { maxAgeMs, nowMs: this.#wallClock() });
      if ('unusable' in found) {
        this.#tellUnused(found.unusable);
        return undefined;
      }
      const { savedAt } = found;
      const instances = readSnapshot({ ...found, kind: 'instances' }, ({ message, cause }) => {
        this.#tell(`An entry of the saved list ${this.#path} is left out: ${message}`, cause);
      });
      if (instances === 'not-found' || countTaking(instances) === 0) {
        this.#tellUnused('none of its instances takes calls; delete it');
        return undefined;
      }
      this.#holds ??= savedAt;
      return { instances, savedAt };
    } catch (error) {
      this.#tellUnused(
        `${messageOf(error)}; see that this process may read it, or delete it`,
        error,
      );
      return undefined;
    }
  }

  #isFresh(): boolean {
    if (this.#isFailing) return this.env.clock.now() - this.#lastWriteMs < REFRESH_AT_LEAST_MS;
    if (typeof this.#holds !== 'number') return false;
    const refreshMs = Math.max(REFRESH_AT_LEAST_MS, this.options.maxAgeMs / 10);
    // Either way: a wall clock that was set back would leave a file from the future.
    return Math.abs(this.#wallClock() - this.#holds) < refreshMs;
  }

  #want(wanted: InstanceList | 'nothing'): void {
    if (this.#isClosed) return;
    this.#wanted = wanted;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#writing !== undefined || this.#timer !== undefined) return;
    const waitMs = this.#lastWriteMs + WRITE_EVERY_MS - this.env.clock.now();
    if (this.#isClosed || waitMs <= 0) this.#begin();
    else this.#timer = backgroundClock(this.env.clock).setTimer(waitMs, this.#begin);
  }

  /** Brings the file up to date, unless that is under way. */
  readonly #begin = (): void => {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#writing !== undefined || this.#wanted === undefined) return;
    this.#lastWriteMs = this.env.clock.now();
    this.#writing = inTurn(() => this.#write()).then(() => {
      this.#writing = undefined;
      if (this.#wanted !== undefined) this.#schedule();
    });
  };

  /** Never rejects. */
  async #write(): Promise<void> {
    const wanted = this.#wanted ?? 'nothing';
    this.#wanted = undefined;
    try {
      if (wanted === 'nothing') {
        await removeSavedFile(this.#path);
        this.#holds = 'nothing';
      } else {
        const savedAt = this.#wallClock();
        // No other writer has it, in this process or another that shares the folder.
        const mark = `${String(process.pid)}-${this.env.rng.next().toString(36).slice(2, 12)}`;
        await writeSavedFile(this.#path, encodeSavedList(this.owner, wanted, savedAt), mark);
        this.#holds = savedAt;
      }
      this.#isFailing = false;
      await this.#tidyOnce();
    } catch (error) {
      const isNews = !this.#isFailing;
      this.#isFailing = true;
      if (!isNews) return;
      this.#tell(
        `The list could not be saved in ${this.#path}: ${messageOf(error)}; see that this process may write there, or set savedList: false.`,
        error,
      );
    }
  }

  async #tidyOnce(): Promise<void> {
    if (this.#hasTidied) return;
    this.#hasTidied = true;
    await removeLeftOvers(this.#path, this.#wallClock());
  }

  async #idle(): Promise<void> {
    await this.#reading;
    while (this.#writing !== undefined) await this.#writing;
  }

  #tellUnused(why: string, cause?: unknown): void {
    this.#tell(`The saved list ${this.#path} is not used: ${why}.`, cause);
  }

  #tell(message: string, cause: unknown): void {
    this.onFault({ message, effect: 'none', cause });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/\.$/, '') : show(error);
}

let lastTurn: Promise<unknown> = Promise.resolve();

/**
 * One after the other in this process. File operations share four threads with name lookups: many lists on a slow disk
 * would hold up those of all calls.
 */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const turn = lastTurn.then(work);
  lastTurn = turn.catch(() => undefined);
  return turn;
}
