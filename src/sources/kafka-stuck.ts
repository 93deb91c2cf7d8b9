import type { KafkaClient, KafkaConsumer } from '../links/kafka-driver.js';
import { kafkaErrorType } from '../links/kafka-errors.js';
import type { KafkaPartition } from './kafka-partition.js';

const UNKNOWN = 'UNKNOWN_TOPIC_OR_PARTITION';
const NOTHING: ReadonlyMap<number, number> = new Map();

/**
 * Whether one of the partitions has more than was read of it, although nothing of it waits here and the client has read no
 * further since this was last asked. Of a topic that is not there nothing can be read.
 *
 * @internal
 */
export async function isStuck(
  logs: readonly KafkaPartition[],
  client: KafkaClient,
  consumer: KafkaConsumer,
): Promise<boolean> {
  const still = logs.filter((log) => {
    const before = log.seenOffset;
    log.seenOffset = consumer.position(log) ?? log.nextOffset;
    return log.isEmpty && log.seenOffset === before;
  });
  const ends = new Map<string, ReadonlyMap<number, number>>();
  for (const { topic } of still) if (!ends.has(topic)) ends.set(topic, await endsOf(client, topic));
  return still.some((log) => log.seenOffset < (ends.get(log.topic)?.get(log.partition) ?? 0));
}

function endsOf(client: KafkaClient, topic: string): Promise<ReadonlyMap<number, number>> {
  return client.offsets(topic, 'latest').catch((error: unknown) => {
    if (kafkaErrorType(error) !== UNKNOWN) throw error;
    return NOTHING;
  });
}
