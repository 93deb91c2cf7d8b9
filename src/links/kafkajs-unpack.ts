import { Buffer } from 'node:buffer';
import { promisify } from 'node:util';
import { unzip } from 'node:zlib';
import { isSluiceError, SluiceError } from '../errors.js';
import { AT, ATTRIBUTES, GZIP, MAGIC, recordBatch } from './kafka-record-batch.js';
import type { KafkaHeaders } from './kafka-driver.js';
import { batchesOf, checkRecords, headersAside, UNPACKED_FACTOR } from './kafka-record-reader.js';
import { refusedBatch } from './kafka-refused-batch.js';

/** The number of the request. */
const FETCH = 1;
/** With it came the form of records that is read here. */
const FIRST_VERSION = 4;

/** What the client makes of an answer. */
interface Answer {
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly messages: readonly { readonly offset: string; refusal?: SluiceError | undefined; headers?: object }[];
    }[];
  }[];
}

/** A request, and how its answer is read. */
interface Exchange {
  readonly request: { readonly apiVersion: number };
  readonly response: { decode(raw: Buffer): Promise<Answer> };
}

type Lookup = (key: number, definition: unknown) => (options: unknown) => Exchange;

/** The part of a broker that gives messages. */
interface Source {
  fetch: (request: unknown) => Promise<unknown>;
  lookupRequest: Lookup;
}

/** An answer in which nothing is packed any more, and everything can be read. */
interface Unpacked {
  readonly bytes: Buffer;
  /** Why a record is none, by topic, partition and offset. */
  readonly refused: ReadonlyMap<string, SluiceError | undefined>;
  /** The headers that the client is not to read, in the same way. */
  readonly aside: ReadonlyMap<string, KafkaHeaders>;
}

/** With so many headers a record is read by the client itself, which copies all that it has for each further one. */
const FEW_HEADERS = 16;
const known = new WeakSet<Source>();
const unzipped = promisify(unzip) as (bytes: Buffer, options: { readonly maxOutputLength: number }) => Promise<Buffer>;

/**
 * Has a broker of kafkajs unpack no more than `maxBytes` of a batch, which it would without a bound. Its codecs could be replaced, but
 * those are the same for all that use the client in this process, and know nothing of a batch but its bytes: one that throws
 * would end the reading of all others. So answers are unpacked before the client reads them, and a batch whose records cannot be
 * read is refused: the client would fail with the whole answer, again and again, or make something of it.
 *
 * Source: Apache Kafka protocol guide, `Fetch` in the versions 4 to 11.
 *
 * @internal
 */
export function boundUnpacking(broker: unknown, maxBytes: number): void {
  const source = broker as Source;
  if (known.has(source)) return;
  known.add(source);
  const fetch = source.fetch.bind(source);
  let bounded: Lookup | undefined;
  source.fetch = (request) => {
    // Each connection sets another one.
    if (source.lookupRequest !== bounded)
      source.lookupRequest = bounded = boundedLookup(source.lookupRequest, maxBytes);
    return fetch(request);
  };
}

function boundedLookup(lookup: Lookup, maxBytes: number): Lookup {
  return (key, definition) => {
    const exchangeOf = lookup(key, definition);
    if (key !== FETCH) return exchangeOf;
    return (options) => {
      const exchange = exchangeOf(options);
      const { request, response } = exchange;
      const decode = async (raw: Buffer): Promise<Answer> => {
        if (request.apiVersion < FIRST_VERSION) return response.decode(raw);
        const unpacked = await unpack(raw, request.apiVersion, maxBytes).catch(unreadable);
        const answer = await response.decode(unpacked.bytes);
        if (unpacked.refused.size + unpacked.aside.size > 0) mark(answer, unpacked);
        return answer;
      };
      return { ...exchange, response: { ...response, decode } };
    };
  };
}

/** What is sent again would be the same. Without a cause: the client would pass on that, and not what it is taken for. */
function unreadable(error: unknown): never {
  if (isSluiceError(error)) throw error;
  throw new SluiceError('PROTOCOL_ERROR', `kafka: an answer cannot be read: ${(error as Error).message}`);
}

function mark({ responses }: Answer, { refused, aside }: Unpacked): void {
  for (const { topicName, partitions } of responses)
    for (const { partition, messages } of partitions)
      for (const message of messages) {
        const place = `${topicName}/${partition}/${message.offset}`;
        message.refusal = refused.get(place);
        message.headers = aside.get(place) ?? message.headers ?? {};
      }
}

async function unpack(raw: Buffer, version: number, maxBytes: number): Promise<Unpacked> {
  const refused = new Map<string, SluiceError | undefined>();
  const aside = new Map<string, KafkaHeaders>();
  const pieces: Buffer[] = [];
  let leftBytes = UNPACKED_FACTOR * maxBytes;
  let copied = 0;
  let at = version >= 7 ? 10 : 4;
  const int32 = (): number => raw.readInt32BE((at += 4) - 4);

  function setAside(batch: Buffer, records: Buffer, name: string): void {
    const { bytes, headers } = headersAside(batch, records);
    pieces.push(plainHead(batch, bytes.length), bytes);
    for (const [offset, of] of headers) if (of !== undefined) aside.set(`${name}/${offset}`, of);
  }

  async function take(batch: Buffer, name: string): Promise<void> {
    // Without it nobody would know what of its transaction is to be read.
    if (isControl(batch)) checkPlain(batch);
    try {
      if (isPacked(batch)) {
        const records = await unzipped(batch.subarray(AT.records), { maxOutputLength: maxBytes });
        leftBytes -= records.length;
        if (checkRecords(batch, records) > FEW_HEADERS) setAside(batch, records, name);
        else pieces.push(plainHead(batch, records.length), records);
      } else if (checkPlain(batch) > FEW_HEADERS) setAside(batch, batch.subarray(AT.records), name);
      else pieces.push(batch);
    } catch (cause) {
      const { offset, timeMs, value, refusal } = refusedBatch(batch, cause, maxBytes);
      refused.set(`${name}/${offset}`, refusal);
      pieces.push(standIn(batch, offset, { key: null, value: Buffer.from(value ?? []), headers: {}, timeMs }));
    }
  }

  for (let topics = int32(); topics > 0; topics -= 1) {
    const nameEnd = at + 2 + raw.readInt16BE(at);
    const topic = raw.toString('utf8', at + 2, nameEnd);
    at = nameEnd;
    for (let partitions = int32(); partitions > 0; partitions -= 1) {
      const name = `${topic}/${int32()}`;
      // An error, the end, the end of what is committed, and the start of the log.
      at += version >= 5 ? 26 : 18;
      const aborted = int32();
      at += 16 * Math.max(0, aborted) + (version >= 11 ? 4 : 0);
      const sizeAt = at;
      const size = Math.max(0, int32());
      const records = raw.subarray(at, (at += size));
      if (isAsItIs(records)) continue;
      const length = Buffer.alloc(4);
      pieces.push(raw.subarray(copied, sizeAt), length);
      const from = pieces.length;
      for (const batch of batchesOf(records)) {
        // The rest is asked for again.
        if (isPacked(batch) && leftBytes <= 0) break;
        await take(batch, name);
      }
      length.writeInt32BE(pieces.slice(from).reduce((sum, piece) => sum + piece.length, 0));
      copied = at;
    }
  }
  return { bytes: copied === 0 ? raw : Buffer.concat([...pieces, raw.subarray(copied)]), refused, aside };
}

/** The client may have it: nothing of it is packed, and it can read everything. */
function isAsItIs(records: Buffer): boolean {
  if (records[AT.magic] !== MAGIC) return true;
  for (const batch of batchesOf(records)) {
    if (isPacked(batch)) return false;
    try {
      if (checkPlain(batch) > FEW_HEADERS) return false;
    } catch {
      return false;
    }
  }
  return true;
}

/** The client itself takes a value that is cut off for a shorter one. What is packed in another way it knows nothing of. */
function checkPlain(batch: Buffer): number {
  return compressionOf(batch) === 0 ? checkRecords(batch, batch.subarray(AT.records)) : 0;
}

function isPacked(batch: Buffer): boolean {
  return compressionOf(batch) === GZIP;
}

function isControl(batch: Buffer): boolean {
  return (batch.readInt16BE(AT.attributes) & ATTRIBUTES.control) !== 0;
}

function compressionOf(batch: Buffer): number {
  return batch.readInt16BE(AT.attributes) & ATTRIBUTES.compression;
}

/** What stands before records that are not packed. The client looks at no checksum. */
function plainHead(batch: Buffer, bytes: number): Buffer {
  const head = Buffer.from(batch.subarray(0, AT.records));
  head.writeInt32BE(AT.records - AT.leaderEpoch + bytes, AT.length);
  head.writeInt16BE(batch.readInt16BE(AT.attributes) & ~ATTRIBUTES.compression, AT.attributes);
  return head;
}

/** One record in place of all of a batch, of the same producer: what it wrote may be of a transaction that was aborted. */
function standIn(batch: Buffer, offset: number, record: Parameters<typeof recordBatch>[0][number]): Buffer {
  const producer = {
    id: batch.readBigInt64BE(AT.producer),
    epoch: batch.readInt16BE(AT.epoch),
    sequence: batch.readInt32BE(AT.sequence),
  };
  const isTransactional = (batch.readInt16BE(AT.attributes) & ATTRIBUTES.transactional) !== 0;
  const one = recordBatch([record], { producer, isTransactional, compression: 'none', checksum: () => 0 });
  one.writeBigInt64BE(BigInt(offset));
  return one;
}
