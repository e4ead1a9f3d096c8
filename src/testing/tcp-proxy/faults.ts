import { InvalidOptionError } from '../../errors.js';
import { checkBoolean, checkKeys, checkMsOrZero, checkNumber, isObject } from '../../validate.js';

/** What a proxy does to the connections through it. What is not named is as it should be. */
export interface TcpFaults {
  /** Bytes arrive so much later, each way, in ms >= 0; so does the end of the stream. Default 0. */
  readonly latencyMs?: number | undefined;
  /** Up to so much later still, by chance, in ms >= 0; bytes stay in order. Default 0. */
  readonly jitterMs?: number | undefined;
  /** As many bytes pass each way, an integer >= 1, in slices of at most 10 ms. Default: not bounded. */
  readonly bytesPerSecond?: number | undefined;
  /**
   * Nothing gets through, and nobody is told, that the other side is gone included: a black hole. Connections are still
   * accepted. With `'replies'` the target is asked, and its answers are held; with `'requests'` it hears nothing. What is
   * held is passed on once the fault is taken away. Default: nothing is held.
   */
  readonly stall?: 'both' | 'requests' | 'replies' | undefined;
  /** Default: connections live as long as both sides want. */
  readonly cut?: CutOptions | undefined;
  /** Stops listening: to connect is refused. Connections that are open live on. Default false. */
  readonly refuse?: boolean | undefined;
}

export interface CutOptions {
  /**
   * `'reset'`: both sides see the connection reset. `'end'`: the client sees the stream end, as if the target had closed
   * it, which truncates a reply under way. Default `'reset'`.
   */
  readonly by?: 'reset' | 'end' | undefined;
  /**
   * Lets so many bytes of the target's replies through, and cuts in place of the next; an integer >= 0. Counted per
   * connection, from its beginning or from when the fault was set. With 0 the target is asked, and its answer is lost.
   * Default: at once, a new connection as soon as it is accepted.
   */
  readonly afterBytes?: number | undefined;
}

/** @throws {InvalidOptionError} naming the first fault out of range. */
export function checkFaults(faults: TcpFaults): TcpFaults {
  const given: unknown = faults;
  if (!isObject(given)) throw new InvalidOptionError('faults', 'an object', given);
  checkKeys('faults', faults, FAULT_KEYS);
  const { latencyMs, jitterMs, bytesPerSecond, stall, cut, refuse } = faults;
  if (latencyMs !== undefined) checkMsOrZero('faults.latencyMs', latencyMs);
  if (jitterMs !== undefined) checkMsOrZero('faults.jitterMs', jitterMs);
  if (bytesPerSecond !== undefined) {
    checkNumber('faults.bytesPerSecond', bytesPerSecond, { min: 1, integer: true });
  }
  checkOneOf('faults.stall', stall, ['both', 'requests', 'replies']);
  if (refuse !== undefined) checkBoolean('faults.refuse', refuse);
  if (cut !== undefined) checkCut(cut);
  return faults;
}

function checkCut(cut: CutOptions): void {
  const given: unknown = cut;
  if (!isObject(given)) throw new InvalidOptionError('faults.cut', 'an object', given);
  checkKeys('faults.cut', cut, ['by', 'afterBytes']);
  checkOneOf('faults.cut.by', cut.by, ['reset', 'end']);
  if (cut.afterBytes !== undefined) {
    checkNumber('faults.cut.afterBytes', cut.afterBytes, { min: 0, integer: true });
  }
}

function checkOneOf(option: string, given: unknown, choices: readonly string[]): void {
  if (given === undefined || choices.some((choice) => choice === given)) return;
  throw new InvalidOptionError(option, `one of ${choices.join(', ')}`, given);
}

const FAULT_KEYS = ['latencyMs', 'jitterMs', 'bytesPerSecond', 'stall', 'cut', 'refuse'];
