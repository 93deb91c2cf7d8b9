import type { Flow } from '../connection/flow.js';
import { called, checkArgument, someOptions } from '../options.js';
import { fromAsyncIterable, type ValuesOptions } from './from-async-iterable.js';

/**
 * The chunks of a WHATWG stream as messages. It is read only while there is credit, so the stream's own backpressure
 * reaches whoever fills it.
 *
 * Completes when the stream is closed and everything was settled, errors with SOURCE_FAILED when it errors; what is unsettled
 * then is taken back. On unsubscribe the stream is cancelled. A stream can be read once: a second subscription errors.
 *
 * @example
 * import { fromReadableStream } from 'sluice';
 * const chunks = fromReadableStream(new Blob(['text']).stream(), { credit: 4 });
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * Source: WHATWG Streams, `getReader`.
 * @see toReadableStream
 */
export function fromReadableStream<T>(stream: ReadableStream<T>, options: ValuesOptions = {}): Flow<T> {
  checkArgument('fromReadableStream', 'stream', stream, called('a WHATWG stream with getReader', 'getReader'));
  checkArgument('fromReadableStream', 'options', options, someOptions);
  return fromAsyncIterable(chunksOf(stream), { topic: 'fromReadableStream', ...options });
}

// Not every browser's stream is an async iterable itself.
function chunksOf<T>(stream: ReadableStream<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const reader = stream.getReader();
      return {
        async next() {
          const { done, value } = await reader.read();
          return done ? { done, value: undefined } : { done, value };
        },
        async return() {
          await reader.cancel();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
