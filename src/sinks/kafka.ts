import { checkAll } from '../connection/check-all.js';
import { defineSink, SINK_RULES, type SinkOptions } from '../connection/define-sink.js';
import type { Sink } from '../connection/flow.js';
import type { KafkaClient } from '../links/kafka-driver.js';
import { kafkaError } from '../links/kafka-errors.js';
import { isTopicName } from '../links/kafka-message.js';
import type { KafkaLink } from '../links/kafka.js';
import type { Message } from '../message/message.js';
import {
  callable,
  called,
  checkArgument,
  checkOptions,
  configInvalid,
  flag,
  integer,
  numeric,
  oneOf,
  text,
} from '../options.js';
import { KafkaWriter, type KafkaWriterMemory } from './kafka-writer.js';

/**
 * Options of {@link kafkaSink}.
 *
 * @see kafkaSink
 */
export interface KafkaSinkOptions extends SinkOptions {
  /** Default: the message's topic. */
  readonly topic?: string | ((message: Message<Uint8Array | null>) => string);
  /** What order is kept by, and what compaction goes by. Default: the message's key. */
  readonly key?: (message: Message<Uint8Array | null>) => string | Uint8Array | undefined;
  /**
   * A partition, from 0 to below `partitions`, or undefined for the usual one. Default: by the key as Java does it, else each
   * batch another.
   */
  readonly partition?: (message: Message<Uint8Array | null>, partitions: number) => number | undefined;
  /** Who confirms: all replicas that are in sync, or the leader alone. Default `all`. */
  readonly acks?: 'all' | 'leader';
  /** A retry inside one connection writes nothing twice. Needs `acks: 'all'`. Default true with it. */
  readonly idempotent?: boolean;
  /**
   * Writes in transactions under this name: what comes within `lingerMs` is seen together or not at all, with the positions of
   * sources that are `transactional`. Each running sink needs a name of its own, the same one after a restart. Default none.
   */
  readonly transactionalId?: string;
  /** Default `none`. */
  readonly compression?: 'none' | 'gzip';
  /** How long a message may wait for others to go with. Default 0 ms: for those of the same turn; 20 ms in transactions. */
  readonly lingerMs?: number;
  /** Most messages in one batch, which is for one partition: 1 to 65,535. Default 500. */
  readonly maxBatch?: number;
  /** The same in bytes, 1,024 or more; at or below the topic's `max.message.bytes`. Default 1,000,000. */
  readonly maxBatchBytes?: number;
  /** Largest payload; more is PAYLOAD_TOO_LARGE. Default 1,000,000. */
  readonly maxBytes?: number;
  /** The header that the message's id is written to; `false` for none. Default `x-message-id`. */
  readonly idHeader?: string | false;
}

/**
 * Writes bytes to topics; `null` is a tombstone. Confirmed means: every replica that is in sync has the message, or with
 * `acks: 'leader'` the leader alone. Then it is acked.
 *
 * Messages go out in batches, at most one of a partition at a time, so the order of a key is kept. The partition is always
 * told: by the key as Java's client does it, and without a key another one with each batch. A topic that is not there fails
 * the message with UNROUTABLE, or the sink with CONFIG_INVALID where it is the only one. What was not confirmed when the
 * connection was lost is sent again with the same id, so the far side may have it twice. At most `maxUnconfirmed` (500) are out.
 *
 * @example
 * import { encode, json, run } from 'sluice';
 * import { kafkaLink, kafkaSink } from 'sluice/kafka';
 * run(bills.pipe(encode(json())), kafkaSink(kafkaLink({ brokers: ['localhost:9092'] }), { topic: 'bills' }));
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * Source: Apache Kafka producer configuration (`acks`, `enable.idempotence`, `max.in.flight.requests.per.connection`).
 * @see kafkaSource
 */
export function kafkaSink(link: KafkaLink, options: KafkaSinkOptions = {}): Sink<Uint8Array | null> {
  checkArgument('kafkaSink', 'link', link, called('a link made with kafkaLink', 'use', 'current'));
  check(options);
  const { topic, acks = 'all', idempotent = acks === 'all', idHeader = 'x-message-id' } = options;
  const memory: KafkaWriterMemory = { alone: 0 };
  return defineSink<Uint8Array | null, KafkaClient>(
    {
      connector: 'kafka',
      link,
      maxUnconfirmed: 500,
      async open(context, client) {
        const plan = {
          idempotent,
          acks: acks === 'all' ? (-1 as const) : (1 as const),
          compression: options.compression ?? ('none' as const),
          transactionalId: options.transactionalId,
        };
        let writer: KafkaWriter | undefined;
        try {
          // Nothing can ever be written to one that is not there.
          if (typeof topic === 'string') await client.partitions(topic);
          const lost = (error: unknown): void => writer?.lost(error);
          const producer = await client.producer(plan, { lost, alive: () => undefined });
          writer = new KafkaWriter(producer, context, {
            client,
            topicOf: typeof topic === 'function' ? topic : (message) => topic ?? message.topic,
            keyOf: options.key ?? ((message) => message.key),
            partitionOf: options.partition,
            idHeader: idHeader === false ? undefined : idHeader,
            maxBytes: options.maxBytes ?? 1_000_000,
            maxBatch: options.maxBatch ?? 500,
            maxBatchBytes: options.maxBatchBytes ?? 1_000_000,
            lingerMs: options.lingerMs ?? (options.transactionalId === undefined ? 0 : 20),
            isTransactional: options.transactionalId !== undefined,
            memory,
          });
          return writer;
        } catch (error) {
          throw kafkaError(error, `kafka sink${typeof topic === 'string' ? ` of ${topic}` : ''}`);
        }
      },
    },
    options,
  );
}

/** What the clients call it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  maxInFlightRequests: 'maxUnconfirmed',
  createPartitioner: 'partition',
  timeout: 'confirmTimeoutMs',
  retry: 'reconnect',
  retries: 'reconnect',
  clientId: 'belongs to kafkaLink',
  allowAutoTopicCreation: `belongs to kafkaLink, as 'autoCreateTopics'`,
};

function check(options: KafkaSinkOptions): void {
  const topic = (value: unknown): string | undefined =>
    typeof value === 'function' || isTopicName(value) ? undefined : 'expected the name of a topic, or a function';
  checkAll('kafkaSink', [
    () =>
      checkOptions<KafkaSinkOptions>(
        'kafkaSink',
        options,
        {
          ...SINK_RULES,
          topic,
          key: callable,
          partition: callable,
          acks: oneOf('all', 'leader'),
          idempotent: flag,
          transactionalId: text,
          compression: oneOf('none', 'gzip'),
          lingerMs: numeric(0),
          maxBatch: integer(1, 65_535),
          maxBatchBytes: integer(1_024),
          maxBytes: integer(1),
          idHeader: (value) => (value === false ? undefined : text(value)),
        },
        ELSEWHERE,
      ),
    () => checkTogether(options),
  ]);
}

function checkTogether({ acks, idempotent, transactionalId }: KafkaSinkOptions): void {
  if (idempotent === true && acks === 'leader') throw configInvalid('kafkaSink', [`'idempotent': needs acks 'all'`]);
  if (transactionalId !== undefined && (acks === 'leader' || idempotent === false))
    throw configInvalid('kafkaSink', [`'transactionalId': needs acks 'all' and an idempotent producer`]);
}
