import type { ListRecord } from './list-record.js';

/** Somebody who follows the instances of a service: Fairlead, or the npm client's own `watch()`. */
export interface Watcher {
  readonly record: ListRecord;
  /** What it said of its source, oldest first. */
  readonly said: readonly Saying[];
  /** Everything that it put out, errors and their causes in full: no secret may be in it. */
  readonly output: () => string;
  /** False once it has ended by itself. */
  readonly isAlive: boolean;
  close(): Promise<void>;
}

export interface Saying {
  readonly atMs: number;
  /** `status` is what somebody reads who asks how it stands; the others tell themselves. */
  readonly kind: 'status' | 'event' | 'error';
  readonly text: string;
}
