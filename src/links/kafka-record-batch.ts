import { Buffer } from 'node:buffer';
import { gzipSync } from 'node:zlib';
import type { KafkaOutgoing } from './kafka-driver.js';

/** What a batch says of itself. @internal */
export interface KafkaBatchHead {
  /** Undefined for a producer that is not idempotent. */
  readonly producer: { readonly id: bigint; readonly epoch: number; readonly sequence: number } | undefined;
  readonly isTransactional: boolean;
  readonly compression: 'none' | 'gzip';
  /** CRC-32C. */
  readonly checksum: (bytes: Buffer) => number;
}

/** The number of the compression that both drivers know. @internal */
export const GZIP = 1;
/** Bits of a batch. @internal */
export const ATTRIBUTES = {
  compression: 0b111,
  logAppendTime: 0b1000,
  transactional: 0b1_0000,
  control: 0b10_0000,
} as const;
/** The form of records since Kafka 0.11. @internal */
export const MAGIC = 2;
/** Where the parts of the head begin, and the records. @internal */
export const AT = {
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  checksum: 17,
  attributes: 21,
  lastOffset: 23,
  firstTime: 27,
  maxTime: 35,
  producer: 43,
  epoch: 51,
  sequence: 53,
  count: 57,
  records: 61,
} as const;
const NONE = -1;

interface Sized {
  readonly record: KafkaOutgoing;
  readonly headers: readonly (readonly [name: Buffer, value: Buffer])[];
  /** Bytes behind the length. */
  readonly bytes: number;
}

/**
 * Records as they are sent and kept. The client's own writer would spoil times that lie 25 days apart.
 *
 * Source: Apache Kafka, «Record Batch».
 *
 * @param records at least one
 * @internal
 */
export function recordBatch(records: readonly KafkaOutgoing[], head: KafkaBatchHead): Buffer {
  const firstMs = records[0]?.timeMs ?? 0;
  const maxMs = records.reduce((most, { timeMs }) => Math.max(most, timeMs), firstMs);
  const sized = records.map((record, at) => sizeOf(record, record.timeMs - firstMs, at));
  const bytes = sized.reduce((sum, one) => sum + lengthOf(one.bytes) + one.bytes, 0);
  const written = Buffer.allocUnsafe(AT.records + bytes);
  let at: number = AT.records;
  for (const [index, one] of sized.entries()) at = writeRecord(written, at, one, one.record.timeMs - firstMs, index);
  const { producer, isTransactional, compression, checksum } = head;
  const batch =
    compression === 'gzip'
      ? Buffer.concat([written.subarray(0, AT.records), gzipSync(written.subarray(AT.records))])
      : written;
  batch.writeBigInt64BE(0n);
  batch.writeInt32BE(batch.length - AT.leaderEpoch, AT.length);
  batch.writeInt32BE(NONE, AT.leaderEpoch);
  batch.writeInt8(MAGIC, AT.magic);
  batch.writeInt16BE(
    (compression === 'gzip' ? GZIP : 0) | (isTransactional ? ATTRIBUTES.transactional : 0),
    AT.attributes,
  );
  batch.writeInt32BE(records.length - 1, AT.lastOffset);
  batch.writeBigInt64BE(BigInt(firstMs), AT.firstTime);
  batch.writeBigInt64BE(BigInt(maxMs), AT.maxTime);
  batch.writeBigInt64BE(producer?.id ?? BigInt(NONE), AT.producer);
  batch.writeInt16BE(producer?.epoch ?? NONE, AT.epoch);
  batch.writeInt32BE(producer?.sequence ?? NONE, AT.sequence);
  batch.writeInt32BE(records.length, AT.count);
  batch.writeUInt32BE(checksum(batch.subarray(AT.attributes)), AT.checksum);
  return batch;
}

function sizeOf(record: KafkaOutgoing, timeDelta: number, offsetDelta: number): Sized {
  const headers: (readonly [Buffer, Buffer])[] = [];
  for (const name in record.headers) {
    const values = record.headers[name] as Buffer | Buffer[];
    const key = Buffer.from(name);
    for (const value of Array.isArray(values) ? values : [values]) headers.push([key, value]);
  }
  let bytes = 1 + lengthOf(timeDelta) + lengthOf(offsetDelta) + lengthOf(headers.length);
  bytes += fieldLength(record.key) + fieldLength(record.value);
  for (const [name, value] of headers) bytes += fieldLength(name) + fieldLength(value);
  return { record, headers, bytes };
}

function writeRecord(to: Buffer, from: number, sized: Sized, timeDelta: number, offsetDelta: number): number {
  const { record, headers, bytes } = sized;
  let at = writeInt(to, from, bytes);
  to[at] = 0;
  at = writeInt(to, at + 1, timeDelta);
  at = writeInt(to, at, offsetDelta);
  at = writeField(to, at, record.key);
  at = writeField(to, at, record.value);
  at = writeInt(to, at, headers.length);
  for (const [name, value] of headers) at = writeField(to, writeField(to, at, name), value);
  return at;
}

function fieldLength(bytes: Buffer | null): number {
  return bytes === null ? lengthOf(NONE) : lengthOf(bytes.length) + bytes.length;
}

function writeField(to: Buffer, from: number, bytes: Buffer | null): number {
  if (bytes === null) return writeInt(to, from, NONE);
  const at = writeInt(to, from, bytes.length);
  return at + bytes.copy(to, at);
}

/** Small numbers, also negative ones, take few bytes. Not with bits, which end at 32: exact below 2^52, also for times. */
const zigZag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

function lengthOf(value: number): number {
  let length = 1;
  for (let rest = zigZag(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}

/** @internal */
export function intBytes(value: number): Buffer {
  const bytes = Buffer.alloc(lengthOf(value));
  writeInt(bytes, 0, value);
  return bytes;
}

function writeInt(to: Buffer, from: number, value: number): number {
  let at = from;
  let rest = zigZag(value);
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) to[at++] = (rest % 0x80) | 0x80;
  to[at++] = rest;
  return at;
}
