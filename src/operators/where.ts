import { atOnce } from '../connection/at-once.js';
import type { Stage } from '../connection/flow.js';
import { callable, checkArgument } from '../connection/options.js';
import { mark } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { defineStage, failed } from './define-stage.js';

/**
 * The messages whose payload `keep` accepts. The others are acked with the note `filtered`: RxJS's `filter` would leave
 * them unsettled, and the source would stop once its credit is used up.
 *
 * A `keep` that throws, or gives a promise, nacks its message as `dead` with HANDLER_FAILED and the flow goes on. Error,
 * completion and unsubscribe pass through.
 *
 * @example
 * import { where } from 'sluice';
 * orders.pipe(where((order) => order.amount > 50));
 * @throws SluiceError `CONFIG_INVALID` without a function
 * @see route
 */
export function where<T, U extends T>(keep: (payload: T, message: Message<T>) => payload is U): Stage<T, U>;
export function where<T>(keep: (payload: T, message: Message<T>) => boolean): Stage<T, T>;
export function where<T>(keep: (payload: T, message: Message<T>) => boolean): Stage<T, T> {
  checkArgument('where', 'keep', keep, callable);
  return defineStage(
    'where',
    (output) => ({
      next(message) {
        mark(message, 'where');
        let kept: boolean;
        try {
          kept = atOnce(keep(message.payload, message), 'The function of where');
        } catch (error) {
          failed(message, error, 'where', 'dead');
          return;
        }
        if (kept) output.next(message);
        else message.ack('filtered');
      },
    }),
    undefined,
    { atMostOne: true, stateless: true },
  );
}
