import type { WaitOptions } from '../../src/abortable.js';
import { Candidate } from './election/candidate.js';
import type { ElectionEventName, ElectionListener } from './election/election-events.js';
import type { Leadership, LeaderTask } from './election/lead.js';
import { type ElectionOptions, readElectionOptions } from './election/options.js';
import type { ElectionStatus } from './election/status.js';

/** A candidate for the lead; see {@link electLeader}. */
export interface Election extends AsyncDisposable {
  /**
   * Whether this candidate leads, by the clock at the moment it is asked: false from two thirds of `sessionTtlMs` after
   * the last good renewal was sent, even if no timer could fire meanwhile.
   */
  readonly isLeader: boolean;
  /**
   * While this candidate leads: a number that is higher than that of every leader before. Send it with all that is
   * written, and have the store refuse what comes with a lower one than it has seen.
   */
  readonly fencingToken: number | undefined;
  /** What the key says of whoever leads, as last read; `undefined` while nobody does. */
  readonly leader: string | undefined;
  /**
   * Waits until this candidate leads. Rejects with the signal's reason on abort, and with `ERR_FAIRLEAD_CLOSED` once
   * closed. Keeps the process alive meanwhile.
   */
  whenLeader(options?: WaitOptions): Promise<Leadership>;
  /**
   * Runs `task` each time this candidate is elected, one run after the other, and resolves once the election is closed
   * and the task has ended. Keeps the process alive until closed.
   *
   * The task ends soon after its signal aborts; to resign or to close waits for that, as long as the lead is certain, up
   * to 30 s. While it works on, the candidate is not elected again. It may also return earlier: the candidate leads on.
   *
   * What it throws before its signal aborts closes the election, so that another leads, and this rejects with it. What
   * it throws after is told as `fault`, unless it is the signal's reason, an `AbortError` or axios' `CanceledError`, and
   * the next election is waited for.
   */
  lead(task: LeaderTask): Promise<void>;
  /**
   * Steps down at once, and hands over as soon as the tasks of {@link lead} are done: a standby leads within
   * milliseconds. This candidate stays one, but stands back until another leads, for at most 5 s. Does nothing on a
   * standby. Keeps the process alive meanwhile. The signal ends the waiting; the handover goes on.
   *
   * Not to be awaited in a task of {@link lead}: that would wait for itself, until the bound there.
   */
  resign(options?: WaitOptions): Promise<void>;
  /** How things stand, as plain JSON. */
  status(): ElectionStatus;
  /** @returns the function that takes the listener away again. */
  on<Name extends ElectionEventName>(name: Name, listener: ElectionListener<Name>): () => void;
  /**
   * Steps down, hands over and destroys the session. Resolves when no socket, timer or listener is left; if Consul does
   * not answer, after some seconds, and the session expires by itself. Keeps the process alive meanwhile. The signal ends
   * the waiting; the closing goes on.
   *
   * Not to be awaited in a task of {@link lead}: that would wait for itself, until the bound there.
   */
  close(options?: WaitOptions): Promise<void>;
}

/**
 * Stands for election at once, and until closed: of all candidates that name the same `key` one leads, by a lock in
 * Consul's key-value store, and when it leaves, dies or is cut off another takes over.
 *
 * - Two never lead at a time, by their own clocks: a leader steps down when its session was not renewed for two thirds of
 *   `sessionTtlMs`, and Consul keeps a session that it heard of for longer; where it gives one up for another reason, a
 *   critical check say, it keeps `lockDelayMs`, by default longer too. Not so with a `lockDelayMs` of less than two thirds
 *   of `sessionTtlMs`, as with any `sessionTtlMs` above 90,000; where an operator deletes the key or releases the lock
 *   while the leader is cut off; nor when Consul loses its state.
 * - What a leader has sent before may arrive after. Only the store can refuse it, by the {@link Election.fencingToken}.
 * - After a leader that died it takes `sessionTtlMs` to twice that, and then `lockDelayMs`, until another leads; after one
 *   that resigned or closed, milliseconds.
 * - Who holds the lock but does not lead, for the replies of Consul come late or never, gives it up after two thirds of
 *   `sessionTtlMs`; or at once where its lead has expired twice within ten times `sessionTtlMs`.
 * - No fault ends the candidacy: each is emitted as `fault` and tried again, after 250 ms to 30 s (full jitter, at most a
 *   third of `sessionTtlMs`), or after 20 to 40 s where only a change of configuration can help.
 *
 * Nothing of it keeps the process alive, but for what somebody waits for, or a `client` of your own.
 *
 * @throws {InvalidOptionError} `ERR_FAIRLEAD_INVALID_OPTION` naming option, range and value.
 * @example
 * await using election = electLeader({ key: 'service/orders/leader' });
 * await election.lead(async ({ signal, fencingToken }) => {
 *   while (!signal.aborted) await work(fencingToken);
 * });
 */
export function electLeader(options: ElectionOptions): Election {
  return new Candidate(readElectionOptions(options));
}
