import { defineSource, SOURCE_RULES, type Delivery, type SourceOptions } from '../connection/define-source.js';
import type { Flow } from '../connection/flow.js';
import { checkArgument, checkOptions } from '../connection/options.js';
import { SOURCE_ELSEWHERE } from '../connection/source-options.js';
import { connected, MEMORY_ACCESS, type MemoryAccess } from '../links/memory-access.js';
import { type MemoryConnection, SUBSCRIPTION_RULES } from '../links/memory-connection.js';
import type { MemoryRecord } from '../links/memory-record.js';

/** Options of {@link memorySource}. */
export interface MemorySourceOptions extends SourceOptions {
  /** What is read: one topic, without wildcards. */
  readonly topic: string;
  /** Consumers of one group share its messages; each group gets them all. Default: the group with the empty name. */
  readonly group?: string;
  /** Where a new group begins: with all that is kept, what comes now, or at an offset. Default `earliest`, if `durable`. */
  readonly from?: 'earliest' | 'latest' | number;
  /** False: the group ends with its last consumer and begins with the latest. Default true. */
  readonly durable?: boolean;
}

/**
 * The messages of a topic of the in-memory broker; each has its `{ partition, offset }` as `meta`.
 *
 * A requeued message, and one that was not settled when its consumer went or its link was lost, is delivered again with
 * its `attempt` raised. A lost link is opened again by itself: the flow errors only where the broker refuses it for good, and only
 * a drain completes it. Whoever takes the messages settles them.
 *
 * @example
 * import { memoryBroker, memorySource } from 'sluice';
 * const broker = memoryBroker();
 * memorySource(broker, { topic: 'orders' }).subscribe((message) => message.ack());
 * @param broker the broker, or a link to share one connection with others
 * @throws SluiceError `CONFIG_INVALID` for an option that is unknown or out of range
 * @see memorySink
 */
export function memorySource<T>(broker: MemoryAccess, options: MemorySourceOptions): Flow<T> {
  checkArgument('memorySource', 'broker', broker, MEMORY_ACCESS);
  const rules = { ...SOURCE_RULES, ...SUBSCRIPTION_RULES };
  checkOptions<MemorySourceOptions>('memorySource', options, rules, SOURCE_ELSEWHERE);
  return defineSource<T, MemoryConnection>(
    {
      connector: 'memory',
      credit: 128,
      ...connected(broker, (context, connection) => {
        const consumer = connection.consume(options, context);
        return {
          resume() {
            for (let record = consumer.take(); record !== undefined; record = consumer.take()) {
              if (!context.offer(record as Delivery<T>)) return;
            }
          },
          probe: () => consumer.isIdle(),
          settle: (position, outcome, reason, message) =>
            consumer.settle(position as MemoryRecord, outcome, reason, message),
          stop: () => consumer.stop(),
          close: () => consumer.close(),
        };
      }),
    },
    options,
  );
}
