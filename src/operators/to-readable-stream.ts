import type { Flow } from '../connection/flow.js';
import { checkArgument, flowLike } from '../connection/options.js';
import type { Message } from '../message/message.js';
import { toAsyncIterable } from './to-async-iterable.js';

/**
 * The messages of a flow as a WHATWG stream. It holds none back of its own: a message is taken out when the reader asks,
 * and acked when it asks for the next one, unless it was settled by then.
 *
 * Where the writer queues, as a `highWaterMark` above 1 lets it, it asks before it has written: settle messages in its
 * `write` then.
 *
 * Closes when the flow completes, errors when it does. Cancelling gives the message in hand and what waits back to the
 * source, untouched.
 *
 * @example
 * import { toReadableStream } from 'sluice';
 * await toReadableStream(orders).pipeTo(new WritableStream({ write: (order) => store(order) }));
 * @throws SluiceError `CONFIG_INVALID` for what is no flow
 * Source: WHATWG Streams, `highWaterMark` of 0.
 * @see fromReadableStream
 */
export function toReadableStream<T>(flow: Flow<T>): ReadableStream<Message<T>> {
  checkArgument('toReadableStream', 'flow', flow, flowLike);
  const iterator = toAsyncIterable(flow)[Symbol.asyncIterator]();
  return new ReadableStream<Message<T>>(
    {
      async pull(controller) {
        const step = await iterator.next();
        if (step.done === true) controller.close();
        else controller.enqueue(step.value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
