import type * as Client from '@platformatic/kafka';
import { Buffer } from 'node:buffer';
import type { KafkaAborted } from './kafka-record-reader.js';
import type { Platformatic } from './platformatic-connection.js';

/** An answer, with the records as they came. @internal */
export interface KafkaFetchAnswer {
  readonly errorCode: number;
  readonly parts: readonly KafkaFetchPart[];
}

/** @internal */
export interface KafkaFetchPart {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly aborted: readonly KafkaAborted[];
  readonly records: Buffer;
}

const NOTHING = Buffer.alloc(0);
const SNAPPY = 2;
/** How Java's client frames what it packs with snappy: a name, two versions, then pieces with their lengths. */
const FRAMED = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const FRAME_HEAD = 16;

/**
 * Takes an answer apart. The client would unpack all of it, and give up all of it where one partition cannot be unpacked.
 *
 * Source: Apache Kafka protocol guide, `Fetch` in version 12.
 *
 * @internal
 */
export function fetchAnswer(
  _correlation: number,
  _key: number,
  _version: number,
  reader: Client.Reader,
): KafkaFetchAnswer {
  reader.readInt32(); // how long the broker held it back
  const errorCode = reader.readInt16();
  reader.readInt32(); // there is no session
  const topics = reader.readArray((topicReader) => {
    const topic = topicReader.readString();
    return topicReader.readArray((part): KafkaFetchPart => {
      const partition = part.readInt32();
      const failure = part.readInt16();
      // The end, the end of what is committed, and the start of the log.
      part.skip(3 * 8);
      const aborted = part.readNullableArray((one): KafkaAborted => ({
        producerId: one.readInt64(),
        firstOffset: one.readInt64(),
      }));
      part.readInt32(); // a replica that is nearer
      const length = part.readUnsignedVarInt() - 1;
      const records = length > 0 ? part.buffer.slice(part.position, part.position + length) : NOTHING;
      part.skip(Math.max(0, length));
      return { topic, partition, errorCode: failure, aborted: aborted ?? [], records };
    });
  });
  return { errorCode, parts: topics.flat() };
}

/**
 * Undoes a compression, of those that the client knows.
 *
 * @throws Error where it does not know it, or the bytes are none of it
 * @internal
 */
export function decompressed(client: Platformatic, compression: number, bytes: Buffer): Buffer {
  const algorithm = client.compressionsAlgorithmsByBitmask[compression];
  if (algorithm === undefined) throw new Error(`There is no compression ${compression}.`);
  const undo = (part: Buffer): Buffer => algorithm.decompressSync(part);
  if (compression !== SNAPPY || !bytes.subarray(0, FRAMED.length).equals(FRAMED)) return undo(bytes);
  const pieces: Buffer[] = [];
  for (let at = FRAME_HEAD; at < bytes.length;) {
    const from = at + 4;
    at = from + bytes.readInt32BE(at);
    pieces.push(undo(bytes.subarray(from, at)));
  }
  return Buffer.concat(pieces);
}
