import type { Stage } from '../connection/flow.js';
import { callable, checkArgument } from '../connection/options.js';
import { mark } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { defineStage, failed } from './define-stage.js';

/**
 * Each message with a new payload, worked out at once by `change`. Everything else of the message, its settlement
 * included, is carried over.
 *
 * A `change` that throws nacks its message as `dead` with HANDLER_FAILED and the flow goes on. For work that takes time,
 * may be retried or gives several results, use `each`: a promise would be the payload. Error, completion and unsubscribe pass
 * through.
 *
 * @example
 * import { payload } from 'sluice';
 * orders.pipe(payload((order) => ({ ...order, total: order.price * order.quantity })));
 * @throws SluiceError `CONFIG_INVALID` without a function
 * @see each
 */
export function payload<I, O>(change: (payload: I, message: Message<I>) => O): Stage<I, O> {
  checkArgument('payload', 'change', change, callable);
  return defineStage(
    'payload',
    (output) => ({
      next(message) {
        mark(message, 'payload');
        let changed: O;
        try {
          changed = change(message.payload, message);
        } catch (error) {
          failed(message, error, 'payload', 'dead');
          return;
        }
        output.next(isUnchanged(changed, message.payload) ? (message as Message<never>) : message.with(changed));
      },
    }),
    undefined,
    { atMostOne: true, stateless: true },
  );
}

/**
 * Nothing changed: the message goes on as it is. `===` takes 0 for -0, and `Object.is` would be a call for every payload; only a number
 * is compared with 0, as comparing other things with a number is a call too.
 */
function isUnchanged(changed: unknown, payload: unknown): boolean {
  return changed === payload && (typeof changed !== 'number' || changed !== 0);
}
