/** Bodies that are still to come when a call is over. */
import { finished, Readable } from 'node:stream';
import { classify } from '../resilience/classify.js';
import type { Outcome } from '../types.js';

export interface StreamedBody {
  /** For who asked, to read. */
  readonly data: unknown;
  /** How it ended, for the instance that sent it. */
  readonly ended: Promise<Outcome>;
}

/**
 * `undefined` for what is no stream of Node's or of the web.
 *
 * @param abort ends the request of a web stream whose reader has left: what stands between may not pass that on before
 * more comes.
 */
export function streamedBody(data: unknown, abort?: () => void): StreamedBody | undefined {
  if (data instanceof Readable) return { data, ended: streamOutcome(data) };
  return isWebStream(data) ? watched(data, abort) : undefined;
}

/** Frees a streamed body that nobody will read. */
export function discardStream(data: unknown): void {
  if (data instanceof Readable) data.destroy();
  else if (isWebStream(data)) data.cancel().catch(() => undefined);
}

function isWebStream(data: unknown): data is ReadableStream<unknown> {
  return data instanceof ReadableStream;
}

/** How a streamed body ended, for the instance that sent it. */
export function streamOutcome(stream: Readable): Promise<Outcome> {
  return new Promise((resolve) => {
    finished(stream, (error) => {
      if (error === undefined || error === null) resolve('success');
      else
        resolve(hasReaderLeft(stream, error) ? 'ignored' : classify({ ok: false, error }).outcome);
    });
  });
}

/**
 * No fault of the instance. A cut from the other side comes as another error. `pipeline` aborts the request of a response
 * whose sink fails, which reads like a cut; of any other stream it tells the sink's error.
 */
function hasReaderLeft(stream: Readable, { code, syscall }: NodeJS.ErrnoException): boolean {
  const { req } = stream as { readonly req?: { readonly aborted?: unknown } };
  return code === 'ERR_STREAM_PREMATURE_CLOSE' || req?.aborted === true || syscall === 'write';
}

/** A web stream does not tell how it ends but to its reader: the same bytes, read on demand, by way of one that does. */
function watched(stream: ReadableStream<unknown>, abort?: () => void): StreamedBody {
  const reader = stream.getReader();
  let end: (outcome: Outcome) => void = () => undefined;
  const ended = new Promise<Outcome>((resolve) => {
    end = resolve;
  });
  const data = new ReadableStream<unknown>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) {
            controller.enqueue(value);
            return;
          }
          end('success');
          controller.close();
        } catch (error) {
          end('failure');
          throw error;
        }
      },
      cancel(reason) {
        end('ignored');
        reader.cancel(reason).catch(() => undefined); // not waited for: it may never end
        abort?.();
      },
    },
    { highWaterMark: 0 },
  );
  forgotten.register(data, end);
  return { data, ended };
}

/** A reader may drop the stream without a word. */
const forgotten = new FinalizationRegistry<(outcome: Outcome) => void>((end) => {
  end('ignored');
});
