import type { Delivery } from '../connection/define-source.js';
import { isTime } from '../connection/is-time.js';
import { oversized } from '../connection/oversized.js';
import type { SluiceError } from '../errors.js';
import type { KafkaRecord } from '../links/kafka-driver.js';
import { headerOf, headersOf, keyText, type KafkaMeta, RETRY } from '../links/kafka-message.js';
import type { KafkaTransacted } from '../links/kafka-transactions.js';
import type { MessageHeaders } from '../message/headers.js';
import type { KafkaPartition } from './kafka-partition.js';

/** How records become messages. */
export interface KafkaReading {
  /** The header that carries the id; undefined for none. */
  readonly idHeader: string | undefined;
  /** Headers that say something of the message which it has a place of its own for. */
  readonly ownHeaders: readonly string[];
  /** No value is `null` instead of no bytes. */
  readonly tombstones: boolean;
}

const NO_BYTES = new Uint8Array();
/** As Kafka says that a record has no time. */
const NO_TIME = -1;

/**
 * A record as a delivery, and its own position. What few flows look at is made when it is asked for.
 *
 * @internal
 */
export class KafkaDelivery implements Delivery<Uint8Array | null> {
  readonly log: KafkaPartition;
  readonly ticket: number;
  readonly record: KafkaRecord;
  readonly attempt: number;
  private readonly reading: KafkaReading;
  private known: MessageHeaders | undefined;

  constructor(log: KafkaPartition, ticket: number, record: KafkaRecord, reading: KafkaReading, attempt?: number) {
    this.log = log;
    this.ticket = ticket;
    this.record = record;
    this.reading = reading;
    this.attempt = attempt ?? firstAttempt(log, record);
  }

  /** The same once more. */
  withAttempt(attempt: number): KafkaDelivery {
    return new KafkaDelivery(this.log, this.ticket, this.record, this.reading, attempt);
  }

  get position(): this {
    return this;
  }
  get bytes(): number {
    return this.record.bytes;
  }
  get refusal(): SluiceError | undefined {
    return this.record.refusal;
  }
  get transacted(): KafkaTransacted | undefined {
    return this.log.transacted;
  }
  get payload(): Uint8Array | null {
    return this.record.value ?? (this.reading.tombstones ? null : NO_BYTES);
  }
  /** That of the first topic, for one that came by a retry topic: elsewhere any sender could write the headers that say so. */
  get topic(): string {
    const { log, record } = this;
    return (log.isRetry ? headerOf(record.headers, RETRY.topic) : undefined) ?? log.topic;
  }
  get headers(): MessageHeaders {
    return (this.known ??= headersOf(this.record.headers, this.reading.ownHeaders));
  }
  get key(): string | undefined {
    return keyText(this.record.key);
  }
  get id(): string {
    const { idHeader } = this.reading;
    const given = idHeader === undefined ? undefined : headerOf(this.record.headers, idHeader);
    // An empty one is none: it would be that of every message of its sender.
    return given === undefined || given === ''
      ? `${this.log.topic}-${this.log.partition}-${this.record.offset}`
      : given;
  }
  /** As the topic. A sender may write any number of 64 bits. */
  get timeMs(): number {
    const { log, record } = this;
    const timeMs = (log.isRetry ? numberIn(record, RETRY.time) : undefined) ?? record.timeMs;
    return isTime(timeMs) ? timeMs : NO_TIME;
  }
  get meta(): KafkaMeta {
    const { log, record } = this;
    const { topic, partition } = log;
    return { topic, partition, offset: record.offset, key: record.key, isTombstone: record.value === null };
  }
}

/** The record, or what stands for one whose value is longer than `maxBytes`. @internal */
export function taken(record: KafkaRecord, maxBytes: number): KafkaRecord {
  const { value } = record;
  if (value === null || value.byteLength <= maxBytes || record.refusal !== undefined) return record;
  const { offset, timeMs, key, headers, bytes } = record;
  const { payload, refusal } = oversized('kafkaSource', value, maxBytes);
  return {
    offset,
    timeMs,
    key,
    value: payload,
    headers,
    bytes: bytes - value.byteLength + payload.byteLength,
    refusal,
  };
}

/** When a record of a retry topic may be delivered. @internal */
export function dueMsOf(record: KafkaRecord): number {
  return numberIn(record, RETRY.due) ?? 0;
}

function firstAttempt({ isRetry }: KafkaPartition, record: KafkaRecord): number {
  const attempt = (isRetry ? numberIn(record, RETRY.attempt) : undefined) ?? 1;
  return Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 1;
}

function numberIn({ headers }: KafkaRecord, name: string): number | undefined {
  if (headers === undefined) return undefined;
  const value = Number(headerOf(headers, name));
  return Number.isFinite(value) ? value : undefined;
}
