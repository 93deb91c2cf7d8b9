import type { Sink, Stage } from '../connection/flow.js';
import { mark } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { Relays } from '../message/relay.js';
import { toSluiceError } from '../errors.js';
import { defineStage } from './define-stage.js';

/**
 * Each message once `sink` has confirmed it: sending in the middle of a flow. The message stays unsettled until what comes
 * after settles it; one that the sink refuses is nacked as the sink said and goes no further.
 *
 * When the flow completes or is unsubscribed the sink is completed. A sink that throws nacks the message with SINK_FAILED.
 *
 * @example
 * import { deliver } from 'sluice';
 * orders.pipe(deliver(audit), each(bill)); // billed only after the audit has it
 * @see fanout
 * @see run
 */
export function deliver<T>(sink: Sink<NoInfer<T>>): Stage<T, T> {
  const name = `deliver(${sink.name ?? 'observer'})`;
  return defineStage<T, T>(
    name,
    (output) => {
      const relays = new Relays({
        settled(original, outcome, reason) {
          if (outcome === 'ack') output.next(original as Message<unknown> as Message<T>);
          else original.settle(outcome, reason);
        },
      });
      return {
        next(message) {
          mark(message, name);
          const passed = relays.pass(message);
          try {
            sink.next(passed);
          } catch (error) {
            passed.nack(toSluiceError(error, 'SINK_FAILED', `${name} threw`));
          }
        },
        complete() {
          sink.complete();
          output.complete();
        },
        teardown: () => sink.complete(),
      };
    },
    [{ label: '', to: sink }],
    { atMostOne: true },
  );
}
