import { endSink } from '../connection/end-sink.js';
import type { Sink, Stage } from '../connection/flow.js';
import { watchSink } from '../connection/watch-sink.js';
import { mark } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { Relays } from '../message/relay.js';
import { toSluiceError } from '../errors.js';
import { defineStage } from './define-stage.js';

/**
 * Each message once `sink` has confirmed it: sending in the middle of a flow. The message stays unsettled until what comes
 * after settles it; one that the sink refuses is nacked as the sink said and goes no further.
 *
 * When its source completes the sink is completed, and the flow completes once the sink is closed; on unsubscribe and on an
 * error the sink is completed as well. A sink that throws nacks the message with SINK_FAILED.
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
      let isEnding = false;
      watchSink(sink, (error) => output.error(error));
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
          isEnding = true;
          endSink(sink, name, () => output.closed || output.complete());
        },
        teardown() {
          if (!isEnding) sink.complete();
        },
      };
    },
    [{ label: '', to: sink }],
    { atMostOne: true },
  );
}
