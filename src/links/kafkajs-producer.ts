import type { CompressionTypes, Kafka, Message, Producer, ProducerBatch, TopicMessages, TopicOffsets } from 'kafkajs';
import type {
  KafkaBatch,
  KafkaEvents,
  KafkaGroupOffsets,
  KafkaOffset,
  KafkaOutgoing,
  KafkaProducer,
  KafkaProducerPlan,
} from './kafka-driver.js';
import { within } from './kafka-within.js';
import { unanswered } from './kafka-errors.js';
import type { KafkaJsSockets } from './kafkajs-sockets.js';

const CLOSE_MS = 2_000;

/** A producer over kafkajs. The partition is always told, so a retry finds each message where it was. @internal */
export class KafkaJsProducer implements KafkaProducer {
  private readonly plan: KafkaProducerPlan;
  private readonly events: KafkaEvents;
  private readonly sockets: KafkaJsSockets;
  private readonly compression: CompressionTypes;
  private readonly producer: Producer;
  private closing: Promise<void> | undefined;

  constructor(
    kafka: Kafka,
    compressions: typeof CompressionTypes,
    plan: KafkaProducerPlan,
    events: KafkaEvents,
    sockets: KafkaJsSockets,
  ) {
    this.plan = plan;
    this.events = events;
    this.sockets = sockets;
    this.compression = plan.compression === 'gzip' ? compressions.GZIP : compressions.None;
    this.producer = kafka.producer({
      idempotent: plan.idempotent,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition as number,
      ...(plan.transactionalId === undefined ? {} : { transactionalId: plan.transactionalId, maxInFlightRequests: 1 }),
    });
  }

  async start(): Promise<void> {
    const { REQUEST_TIMEOUT } = this.producer.events;
    this.producer.on(REQUEST_TIMEOUT, () => this.events.lost(unanswered()));
    await this.producer.connect();
    this.sockets.ready();
  }

  async send(batches: readonly KafkaBatch[]): Promise<void> {
    await this.producer.sendBatch(this.requestOf(batches));
  }

  async transact(batches: readonly KafkaBatch[], settle: () => readonly KafkaGroupOffsets[]): Promise<void> {
    const transaction = await this.producer.transaction();
    try {
      await transaction.sendBatch(this.requestOf(batches));
      for (const { group, offsets } of settle())
        await transaction.sendOffsets({ consumerGroupId: group, topics: topicsOf(offsets) });
      await transaction.commit();
    } catch (error) {
      // What cannot be aborted now is when the next producer of this id begins.
      await within(this.sockets.clock, CLOSE_MS, transaction.abort());
      throw error;
    }
  }

  private requestOf(batches: readonly KafkaBatch[]): ProducerBatch {
    return { acks: this.plan.acks, compression: this.compression, topicMessages: topicMessagesOf(batches) };
  }

  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  private async end(): Promise<void> {
    this.sockets.leave();
    await within(this.sockets.clock, CLOSE_MS, this.producer.disconnect());
    this.sockets.destroy();
  }
}

/**
 * The batches of each topic as one list. kafkajs has such a list reduce itself to lists by partition, and for each message
 * copies the list that it is added to: half a million copies for a thousand messages. These know what comes of it.
 *
 * @internal
 */
export function topicMessagesOf(batches: readonly KafkaBatch[]): TopicMessages[] {
  const topics = new Map<string, { messages: Message[]; byPartition: Record<number, Message[]> }>();
  for (const { topic, partition, records } of batches) {
    let known = topics.get(topic);
    if (known === undefined) topics.set(topic, (known = { messages: [], byPartition: {} }));
    const own = (known.byPartition[partition] ??= []);
    for (const record of records) {
      const message = messageOf(record, partition);
      own.push(message);
      known.messages.push(message);
    }
  }
  return [...topics].map(([topic, { messages, byPartition }]) => {
    Object.defineProperty(messages, 'reduce', { value: () => ({ ...byPartition }) });
    return { topic, messages };
  });
}

function topicsOf(offsets: readonly KafkaOffset[]): TopicOffsets[] {
  const topics = new Map<string, TopicOffsets>();
  for (const { topic, partition, offset } of offsets) {
    const known = topics.get(topic) ?? { topic, partitions: [] };
    known.partitions.push({ partition, offset: String(offset) });
    topics.set(topic, known);
  }
  return [...topics.values()];
}

function messageOf({ key, value, headers, timeMs }: KafkaOutgoing, partition: number): Message {
  return {
    partition,
    key,
    value,
    headers,
    timestamp: String(timeMs),
  };
}
