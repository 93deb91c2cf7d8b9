import { Buffer } from 'node:buffer';
import { isSluiceError, SluiceError } from '../errors.js';
import type { KafkaHeaders, KafkaRecord } from './kafka-driver.js';
import { AT, ATTRIBUTES, intBytes, MAGIC } from './kafka-record-batch.js';
import { refusedBatch } from './kafka-refused-batch.js';

const CUT_OFF = 'A record is cut off.';
/** What a control record says. */
const ABORT = 0;
/** So many times what may come out of one batch may come out of an answer. @internal */
export const UNPACKED_FACTOR = 4;

/** A part of a partition, as it was read. @internal */
export interface KafkaRead {
  readonly records: readonly KafkaRecord[];
  /** Where the next part begins; undefined when there was nothing. */
  readonly nextOffset: number | undefined;
}

/** A transaction that was aborted: what its producer wrote from there on, up to the mark of its end. @internal */
export interface KafkaAborted {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** How the batches of an answer are unpacked. @internal */
export interface KafkaUnpacking {
  /** Undoes the compression of that number. */
  readonly decompress: (compression: number, bytes: Buffer) => Buffer;
  /** How much may come out of a batch. */
  readonly maxBytes: number;
  /** How much may still come out of all. */
  leftBytes: number;
}

/**
 * What is for readers in the batches of an answer: without what lies before the offset that was asked for, as brokers give
 * whole batches, without control records, and without what was written in transactions that were aborted. A batch that
 * cannot be unpacked or read is one record that is refused; once as much was unpacked as may be, the rest is left for the next answer.
 *
 * Source: Apache Kafka, «Record Batch»; `CompletedFetch` of 4.1; KIP-98.
 *
 * @param unpacking undoes compressions, and knows how much may still be unpacked
 * @throws SluiceError `PROTOCOL_ERROR` for a compression that is not known; Error for what are no batches
 * @internal
 */
export function recordsOf(
  bytes: Buffer,
  aborted: readonly KafkaAborted[],
  from: number,
  unpacking: KafkaUnpacking,
): KafkaRead {
  const records: KafkaRecord[] = [];
  let nextOffset: number | undefined;
  const waiting = aborted.toSorted((a, b) => Number(a.firstOffset - b.firstOffset));
  /** Producers whose transaction here was aborted. */
  const aborting = new Set<bigint>();
  for (const batch of batchesOf(bytes)) {
    const firstOffset = Number(batch.readBigInt64BE());
    const lastOffset = firstOffset + batch.readInt32BE(AT.lastOffset);
    const attributes = batch.readInt16BE(AT.attributes);
    const compression = attributes & ATTRIBUTES.compression;
    if (compression !== 0 && unpacking.leftBytes <= 0) break;
    nextOffset = Math.max(from, lastOffset + 1);
    const producerId = batch.readBigInt64BE(AT.producer);
    while (waiting[0] !== undefined && Number(waiting[0].firstOffset) <= lastOffset)
      aborting.add((waiting.shift() as KafkaAborted).producerId);
    const isControl = (attributes & ATTRIBUTES.control) !== 0;
    const isAborted = (attributes & ATTRIBUTES.transactional) !== 0 && aborting.has(producerId);
    if (lastOffset < from || (isAborted && !isControl)) continue;
    const packed = batch.subarray(AT.records);
    if (isControl) {
      const { key } = new Cursor(packed).record(firstOffset, 0);
      // Its version comes first.
      if (key?.[3] === ABORT) aborting.delete(producerId);
      continue;
    }
    const good = records.length;
    try {
      const bytes = compression === 0 ? packed : unpacking.decompress(compression, packed);
      if (compression !== 0) unpacking.leftBytes -= bytes.length;
      addRecords(records, batch, bytes, from);
    } catch (error) {
      if (isSluiceError(error)) throw error;
      records.length = good;
      records.push(refusedBatch(batch, error, unpacking.maxBytes));
    }
  }
  return { records, nextOffset };
}

/** The last one may be cut off, and comes again then. @throws SluiceError `PROTOCOL_ERROR` for an older form @internal */
export function* batchesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; bytes.length - at >= AT.records;) {
    const end = at + AT.leaderEpoch + bytes.readInt32BE(at + AT.length);
    if (end > bytes.length) return;
    const magic = bytes[at + AT.magic];
    if (magic !== MAGIC) {
      const text = `Records have the form of version ${magic}, which is older than Kafka 0.11.`;
      throw new SluiceError('PROTOCOL_ERROR', text);
    }
    yield bytes.subarray(at, end);
    at = end;
  }
}

/**
 * Whether all records of a batch are there, each as long as it says.
 *
 * @param bytes what is behind its head, unpacked
 * @returns how many headers the one with the most has
 * @throws Error where one is not
 * @internal
 */
export function checkRecords(batch: Buffer, bytes: Buffer): number {
  const cursor = new Cursor(bytes);
  let most = 0;
  for (let left = batch.readInt32BE(AT.count); left > 0; left -= 1) most = Math.max(most, cursor.skip());
  return most;
}

/**
 * The records of a batch that was checked, without their headers, and those by offset.
 *
 * @param bytes what is behind its head, unpacked
 * @internal
 */
export function headersAside(
  batch: Buffer,
  bytes: Buffer,
): { readonly bytes: Buffer; readonly headers: ReadonlyMap<number, KafkaHeaders | undefined> } {
  const cursor = new Cursor(bytes);
  const firstOffset = Number(batch.readBigInt64BE());
  const headers = new Map<number, KafkaHeaders | undefined>();
  const pieces: Buffer[] = [];
  for (let left = batch.readInt32BE(AT.count); left > 0; left -= 1) {
    const bare = cursor.bare();
    headers.set(firstOffset + bare.offset, bare.headers);
    pieces.push(intBytes(bare.bytes.length + 1), bare.bytes, intBytes(0));
  }
  return { bytes: Buffer.concat(pieces), headers };
}

function addRecords(to: KafkaRecord[], batch: Buffer, bytes: Buffer, from: number): void {
  const cursor = new Cursor(bytes);
  const firstOffset = Number(batch.readBigInt64BE());
  const firstMs = Number(batch.readBigInt64BE(AT.firstTime));
  const isStamped = (batch.readInt16BE(AT.attributes) & ATTRIBUTES.logAppendTime) !== 0;
  const stampedMs = isStamped ? Number(batch.readBigInt64BE(AT.maxTime)) : undefined;
  for (let left = batch.readInt32BE(AT.count); left > 0; left -= 1) {
    const record = cursor.record(firstOffset, firstMs);
    if (record.offset < from) continue;
    to.push(stampedMs === undefined ? record : { ...record, timeMs: stampedMs });
  }
}

class Cursor {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  record(firstOffset: number, firstMs: number): KafkaRecord {
    const end = this.begin();
    const timeMs = firstMs + this.int();
    const offset = firstOffset + this.int();
    const from = this.at;
    const key = this.field();
    const value = this.field();
    const count = this.int();
    const headers = count === 0 ? undefined : this.headers(count);
    this.over(end);
    // With the few bytes that say how long each of them is: to look at the headers once more would take longer.
    return { offset, timeMs, key, value, headers, bytes: this.at - from };
  }

  /** Takes nothing out of it. Gives how many headers it has. */
  skip(): number {
    const end = this.begin();
    this.int(); // time
    this.int(); // offset
    this.length(); // key
    this.length(); // value
    const count = this.int();
    for (let left = count; left > 0; left -= 1) {
      this.length();
      this.length();
    }
    this.over(end);
    return count;
  }

  /** Its headers, and what stands between its length and them. The offset is that in its batch. */
  bare(): { readonly offset: number; readonly headers: KafkaHeaders | undefined; readonly bytes: Buffer } {
    const end = this.begin();
    const from = this.at - 1;
    this.int(); // time
    const offset = this.int();
    this.length(); // key
    this.length(); // value
    const bytes = this.bytes.subarray(from, this.at);
    const count = this.int();
    const headers = count === 0 ? undefined : this.headers(count);
    this.over(end);
    return { offset, headers, bytes };
  }

  private begin(): number {
    const length = this.int();
    if (!(length > 0 && this.at + length <= this.bytes.length)) throw new Error(CUT_OFF);
    const end = this.at + length;
    this.at += 1; // attributes, of which there are none
    return end;
  }

  private over(end: number): void {
    if (this.at !== end) throw new Error('A record is not as long as it says.');
  }

  private headers(count: number): KafkaHeaders {
    const headers = Object.create(null) as Record<string, Buffer | Buffer[]>;
    for (let left = count; left > 0; left -= 1) {
      const name = String(this.field() ?? '');
      const value = this.field();
      // There is no place for a header without a value.
      if (value === null) continue;
      const known = headers[name];
      if (known === undefined) headers[name] = value;
      else if (Array.isArray(known)) known.push(value);
      else headers[name] = [known, value];
    }
    return headers;
  }

  private field(): Buffer | null {
    const length = this.length();
    return length < 0 ? null : this.bytes.subarray(this.at - length, this.at);
  }

  /** How long the next field is, behind which it goes on; none is below 0. */
  private length(): number {
    const length = this.int();
    if (length < 0) return length;
    this.at += length;
    if (!(this.at <= this.bytes.length)) throw new Error(CUT_OFF);
    return length;
  }

  /** Not with bits, which end at 32. */
  private int(): number {
    let value = 0;
    let place = 1;
    for (;;) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new Error(CUT_OFF);
      value += (byte & 0x7f) * place;
      if (byte < 0x80) break;
      place *= 0x80;
      // Ten bytes hold any number of 64 bits.
      if (place > 2 ** 63) throw new Error('A number is too long.');
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
