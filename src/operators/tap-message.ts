import type { Stage } from '../connection/flow.js';
import { callable, checkArgument } from '../connection/options.js';
import { mark } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { defineStage, failed } from './define-stage.js';

/**
 * The same messages, each shown to `look` first: for logs, counts and assertions. What `look` returns is ignored.
 *
 * A `look` that throws nacks its message as `dead` with HANDLER_FAILED and the flow goes on. Error, completion and
 * unsubscribe pass through.
 *
 * @example
 * import { tapMessage } from 'sluice';
 * orders.pipe(tapMessage(({ topic, attempt }) => console.log(topic, attempt)));
 * @throws SluiceError `CONFIG_INVALID` without a function
 * @see payload
 */
export function tapMessage<T>(look: (message: Message<T>) => void): Stage<T, T> {
  checkArgument('tapMessage', 'look', look, callable);
  return defineStage(
    'tapMessage',
    (output) => ({
      next(message) {
        mark(message, 'tapMessage');
        try {
          look(message);
        } catch (error) {
          failed(message, error, 'tapMessage', 'dead');
          return;
        }
        output.next(message);
      },
    }),
    undefined,
    { atMostOne: true, stateless: true },
  );
}
