import type { CompressionTypes, Kafka, Message, Producer, ProducerBatch, TopicOffsets } from 'kafkajs';
import { SluiceError } from '../errors.js';
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
    this.producer.on(REQUEST_TIMEOUT, () => {
      const text = 'kafka: a request was not answered in time.';
      this.events.lost(new SluiceError('PEER_LOST', text, { retriable: true }));
    });
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
    const topics = new Map<string, Message[]>();
    for (const { topic, partition, records } of batches) {
      let messages = topics.get(topic);
      if (messages === undefined) topics.set(topic, (messages = []));
      for (const record of records) messages.push(messageOf(record, partition));
    }
    const topicMessages = [...topics].map(([topic, messages]) => ({ topic, messages }));
    return { acks: this.plan.acks, compression: this.compression, topicMessages };
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
