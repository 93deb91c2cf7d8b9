import type { Subscription } from 'rxjs';
import { subscribeTo } from '../connection/attach.js';
import type { Flow } from '../connection/flow.js';
import { checkArgument, flowLike } from '../connection/options.js';
import { Ring } from '../connection/ring.js';
import { handBack, isOpen, mark } from '../message/envelope.js';
import type { Message } from '../message/message.js';

interface Waiting<T> {
  readonly resolve: (step: IteratorResult<Message<T>, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The messages of a flow for a `for await` loop. A message is acked when the loop asks for the next one, unless the loop
 * settled it itself; so what a loop body holds is never more than one message, and what waits before it never more than
 * the credit. Who asks ahead, before the answer has come, has each message but the last asked for acked as it is handed out.
 *
 * Leaving the loop by `break`, `return` or a throw gives the message of that round and everything that waits back to the
 * source, untouched. The loop ends when the flow completes and throws when it errors. Each loop is a subscription of its
 * own, made when it first asks.
 *
 * @example
 * import { toAsyncIterable } from 'sluice';
 * for await (const message of toAsyncIterable(orders)) await store(message.payload);
 * @throws SluiceError `CONFIG_INVALID` for what is no flow
 * @see fromAsyncIterable
 * @see toReadableStream
 */
export function toAsyncIterable<T>(flow: Flow<T>): AsyncIterable<Message<T>> {
  checkArgument('toAsyncIterable', 'flow', flow, flowLike);
  return { [Symbol.asyncIterator]: () => iterate(flow) };
}

function iterate<T>(flow: Flow<T>): AsyncIterator<Message<T>, undefined> {
  let subscription: Subscription | undefined;
  const buffer = new Ring<Message<T>>();
  const askers = new Ring<Waiting<T>>();
  let inHand: Message<T> | undefined;
  let end: { readonly error?: unknown } | undefined;

  function give(): void {
    // What its source took back while it waited comes again.
    for (let first = buffer.peek(); first !== undefined && !isOpen(first); first = buffer.peek()) buffer.shift();
    while (askers.length > 0 && (buffer.length > 0 || end !== undefined)) {
      const asker = askers.shift() as Waiting<T>;
      done();
      inHand = buffer.shift();
      if (inHand !== undefined) asker.resolve({ done: false, value: inHand });
      else if (end !== undefined && 'error' in end) {
        asker.reject(end.error);
        end = {};
      } else asker.resolve({ done: true, value: undefined });
    }
    // Whoever waits has asked for the next one already, and that may come only once this one is settled.
    if (askers.length > 0) done();
  }

  function done(): void {
    const message = inHand;
    inHand = undefined;
    if (message !== undefined && isOpen(message)) message.ack();
  }

  function start(): void {
    subscription = subscribeTo(flow, {
      next(message) {
        mark(message, 'toAsyncIterable');
        buffer.push(message);
        give();
      },
      error(error: unknown) {
        end = { error };
        give();
      },
      complete() {
        end = {};
        give();
      },
    });
  }

  return {
    next() {
      if (subscription === undefined && end === undefined) start();
      done();
      return new Promise((resolve, reject) => {
        askers.push({ resolve, reject });
        give();
      });
    },
    return() {
      subscription?.unsubscribe();
      if (inHand !== undefined) handBack(inHand);
      inHand = undefined;
      for (const message of buffer.clear()) handBack(message);
      end = {};
      give();
      return Promise.resolve({ done: true, value: undefined });
    },
  };
}
