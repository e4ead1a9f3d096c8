import { finished, Readable } from 'node:stream';
import type { Outcome } from '../types.js';

export function isStream(data: unknown): data is Readable {
  return data instanceof Readable;
}

/** How a streamed body ended, for the instance that sent it. */
export function streamOutcome(stream: Readable): Promise<Outcome> {
  return new Promise((resolve) => {
    finished(stream, (error) => {
      if (error === undefined || error === null) resolve('success');
      // The reader went away: no fault of the instance. A cut from the other side comes as another error.
      else resolve(error.code === 'ERR_STREAM_PREMATURE_CLOSE' ? 'ignored' : 'failure');
    });
  });
}
