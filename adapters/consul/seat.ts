import type { WatchContext } from '../../src/types.js';
import type { AgentReply } from './agent-error.js';
import type { AgentHub } from './agent-hub.js';
import { type Connection, connect } from './connection.js';
import { nextIndex } from './reply.js';

/** A query that waits at the agent. */
export interface ParkedQuery {
  readonly reply: Promise<AgentReply | 'given-up'>;
  giveUp(): void;
  /** When the agent will have answered it, at the latest. */
  readonly untilMs: number;
  /** Before this the agent answers only to tell of a change. */
  readonly waitsUntilMs: number;
}

/** The place of a watch at one agent: its slot there, if it has one, what it has parked, and the index it waits on. */
export class Seat {
  #index = 0;
  #lastIndex = 0;
  /** What the query that was parked last waits on. */
  #parkedOn = 0;
  #slot: Connection | undefined;
  #parked: ParkedQuery | undefined;

  constructor(
    readonly hub: AgentHub,
    private readonly maxParked: number,
    private readonly context: Pick<WatchContext, 'clock' | 'signal'>,
  ) {}

  /** 0: the next read does not block. It means nothing to another agent, so it never leaves this one. */
  get index(): number {
    return this.#index;
  }

  /** That of the last good reply with one, whether or not the next read waits on it. */
  get lastIndex(): number {
    return this.#lastIndex;
  }

  get hasSlot(): boolean {
    return this.#slot !== undefined;
  }

  get parked(): ParkedQuery | undefined {
    return this.#parked;
  }

  /** Tries for a slot, if it has none. */
  async takeSlot(): Promise<void> {
    const { parking, source } = this.hub;
    if (this.#slot !== undefined || !parking.take(this.maxParked, this.context.clock.now())) return;
    try {
      this.#slot = await connect(source);
    } catch (error) {
      parking.giveBack();
      throw error;
    }
  }

  /** Runs `task` with a connection that nobody else uses meanwhile: that of its slot, or one that is shared. */
  use<T>(signal: AbortSignal, task: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#slot === undefined || this.#parked !== undefined
      ? this.hub.plain.use(signal, task)
      : task(this.#slot);
  }

  /** Parks what `send` sends over the connection of the slot. */
  park(send: (slot: Connection) => ParkedQuery): ParkedQuery {
    if (this.#slot === undefined) throw new Error('there is no slot to park in');
    const parked = send(this.#slot);
    this.#parked = parked;
    this.#parkedOn = this.#index;
    const unpark = (): void => {
      if (this.#parked === parked) this.#parked = undefined;
    };
    parked.reply.then(unpark, () => {
      // What an abort gives up is still parked, as the agent sees it.
      if (!this.context.signal.aborted) unpark();
    });
    return parked;
  }

  /**
   * Notes the index of a good reply.
   *
   * @param early whether it came before its wait was over: with nothing newer than what it waited on, that is how queries
   * end when a snapshot is restored, and they bring the list and the index of before.
   */
  advance(received: number, early: boolean): void {
    if (received > 0) this.#lastIndex = received;
    // A read beside what is parked may have found the same change before it.
    const isOfOld = early && received <= this.#parkedOn;
    this.#index = isOfOld ? 0 : nextIndex(this.#index, received);
    // What is parked on the index before waits for something that will not come.
    if (this.#index === 0 && this.#parked !== undefined) this.release();
  }

  /** Gives up what is parked, gives the slot back, and starts over. */
  release(): void {
    this.#index = 0;
    if (this.#slot === undefined) return;
    const parked = this.#parked;
    parked?.giveUp();
    this.#slot.close();
    this.hub.parking.giveBack(parked?.untilMs);
    [this.#slot, this.#parked] = [undefined, undefined];
  }
}
