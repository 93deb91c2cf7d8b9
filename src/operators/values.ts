import { Observable } from 'rxjs';
import { subscribeTo } from '../connection/attach.js';
import type { Flow } from '../connection/flow.js';
import { checkArgument, flowLike } from '../connection/options.js';

/**
 * The payloads of a flow, each message acked as it arrives: the way out of a flow, and from here on at most once. What
 * happens to a value after that, RxJS operators that drop it included, no longer concerns the source.
 *
 * Error, completion and unsubscribe pass through. A throw in the subscriber is reported by RxJS; its message is acked already.
 *
 * @example
 * import { values } from 'sluice';
 * orders.pipe(values()).subscribe((order) => console.log(order.id));
 * @throws SluiceError `CONFIG_INVALID` from what it returns, for what is no flow
 * @see messages
 * @see toAsyncIterable
 */
export function values<T>(): (source: Flow<T>) => Observable<T> {
  return (source) => {
    checkArgument('values', 'source', source, flowLike);
    return new Observable((output) =>
      subscribeTo(source, {
        next(message) {
          message.ack();
          output.next(message.payload);
        },
        error: (error: unknown) => output.error(error),
        complete: () => output.complete(),
      }),
    );
  };
}
