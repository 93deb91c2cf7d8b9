import { defineSink, SINK_RULES, type SinkOptions } from '../connection/define-sink.js';
import type { Sink } from '../connection/flow.js';
import { checkArgument, checkOptions, text } from '../connection/options.js';
import { connected, MEMORY_ACCESS, type MemoryAccess } from '../links/memory-access.js';
import type { MemoryConnection } from '../links/memory-connection.js';

/** Options of {@link memorySink}. */
export interface MemorySinkOptions extends SinkOptions {
  /** Where messages go. Default: each message's own topic. */
  readonly topic?: string;
}

/**
 * Publishes each message to the in-memory broker and acks it once the broker has it.
 *
 * A topic without room holds the confirmation back and the sink is degraded (policy `wait`), or refuses: the message is
 * then nacked with `OVERFLOW`. A payload that is too large is nacked as `dead`. After a lost link everything unconfirmed
 * is sent again, so the broker may have it twice. `complete` waits for the confirmations.
 *
 * @example
 * import { memoryBroker, memorySink, run } from 'sluice';
 * run(orders, memorySink(memoryBroker(), { topic: 'copies' }));
 * @param broker the broker, or a link to share one connection with others
 * @throws SluiceError `CONFIG_INVALID` for an option that is unknown or out of range
 * @see memorySource
 */
export function memorySink<T>(broker: MemoryAccess, options: MemorySinkOptions = {}): Sink<T> {
  checkArgument('memorySink', 'broker', broker, MEMORY_ACCESS);
  checkOptions<MemorySinkOptions>('memorySink', options, { ...SINK_RULES, topic: text });
  return defineSink<T, MemoryConnection>(
    {
      connector: 'memory',
      maxUnconfirmed: 256,
      ...connected(broker, (context, connection) => {
        const producer = connection.produce(context);
        return {
          send(sending) {
            const { id, topic, payload, headers, key, timeMs, reply } = sending.message;
            producer.publish({ id, topic: options.topic ?? topic, payload, headers, key, timeMs, reply }, sending);
          },
          close: () => producer.close(),
        };
      }),
    },
    options,
  );
}
