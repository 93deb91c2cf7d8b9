import { CompressionTypes, Kafka, logLevel, type Message as KafkaMessage, type Producer } from 'kafkajs';
import { backoff, type Flow, type Message } from 'sluice';
import { kafkaLink, kafkaSource, type KafkaDriverName, type KafkaLink, type KafkaSourceOptions } from 'sluice/kafka';
import type { KafkaBroker } from '../brokers/kafka.js';
import { collect, type Collected } from './collect.js';
import { makeTopic } from './kafka-admin.js';

/** Quick enough for a test: defaults are for the long run. */
export const timing = { sessionTimeoutMs: 6_000, groupHeartbeatMs: 150, revokeTimeoutMs: 3_000, maxWaitMs: 30 };
export const reconnect = backoff({ initialMs: 20, maxMs: 200, minMs: 5 });
let names = 0;

export const text = (payload: Uint8Array | null): string =>
  payload === null ? 'null' : Buffer.from(payload).toString();

/** What the tests of a real broker do to it, through the connector with one of its drivers and beside it. */
export interface KafkaHands {
  linkOf(options?: object): KafkaLink;
  /** A topic of its own. */
  topic(partitions?: number, config?: Readonly<Record<string, string>>): Promise<string>;
  /** Writes beside the connector. */
  write(name: string, messages: readonly KafkaMessage[], compression?: CompressionTypes): Promise<void>;
  committed(group: string, name: string): Promise<readonly number[]>;
  /** Acks all that comes, unless `settle` does something else. */
  read(
    name: string,
    options: Partial<KafkaSourceOptions>,
    settle?: (message: Message<Uint8Array>) => void,
  ): Collected<Uint8Array>;
}

export function kafkaHands(broker: () => KafkaBroker, driver: KafkaDriverName): KafkaHands {
  const client = (): Kafka => new Kafka({ brokers: [broker().url], logLevel: logLevel.NOTHING });
  const linkOf = (options: object = {}): KafkaLink =>
    kafkaLink({
      driver,
      brokers: [broker().url],
      reconnect,
      requestTimeoutMs: 2_000,
      heartbeatMs: 1_000,
      ...options,
    });

  async function topic(partitions = 3, config: Readonly<Record<string, string>> = {}): Promise<string> {
    const name = `b${process.pid}-${(names += 1)}`;
    await makeTopic(broker(), name, partitions, config);
    return name;
  }

  async function write(
    name: string,
    messages: readonly KafkaMessage[],
    compression: CompressionTypes = CompressionTypes.None,
  ): Promise<void> {
    const producer: Producer = client().producer({
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    });
    await producer.connect();
    await producer.send({ topic: name, messages: [...messages], compression });
    await producer.disconnect();
  }

  async function committed(group: string, name: string): Promise<readonly number[]> {
    const admin = client().admin();
    await admin.connect();
    const [told] = await admin.fetchOffsets({ groupId: group, topics: [name] });
    await admin.disconnect();
    return (told?.partitions ?? [])
      .sort((a, b) => a.partition - b.partition)
      .map(({ offset }) => Math.max(0, Number(offset)));
  }

  function read(
    name: string,
    options: Partial<KafkaSourceOptions>,
    settle?: (message: Message<Uint8Array>) => void,
  ): Collected<Uint8Array> {
    const all = { topics: [name], group: `${name}-group`, ...timing, reconnect, ...options };
    // Null only for who asks for `tombstones`, and knows.
    return collect(kafkaSource(linkOf(), all) as Flow<Uint8Array>, settle ?? ((message) => void message.ack()));
  }

  return { linkOf, topic, write, committed, read };
}
