import type * as Client from '@platformatic/kafka';
import { Buffer } from 'node:buffer';
import zlib from 'node:zlib';
import { SluiceError } from '../errors.js';
import { GZIP } from './kafka-record-batch.js';
import type { KafkaAborted } from './kafka-record-reader.js';
import { checkUnpacked } from './kafka-refused-batch.js';
import { lz4Size } from './lz4-size.js';
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

/** Node has it from 22.15 on. */
interface Zstd {
  zstdDecompressSync(bytes: Buffer, options: { readonly maxOutputLength: number }): Buffer;
}

const NOTHING = Buffer.alloc(0);
const SNAPPY = 2;
const ZSTD = 4;
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
 * Undoes a compression, of those that the client knows. It knows no bound itself: either Node keeps it, or what would come out is
 * counted before.
 *
 * @param maxBytes how much may come out
 * @throws SluiceError `PROTOCOL_ERROR` where it does not know it; Error where more would come out, or the bytes are none of it
 * @internal
 */
export function decompressed(client: Platformatic, compression: number, bytes: Buffer, maxBytes: number): Buffer {
  const algorithm = client.compressionsAlgorithmsByBitmask[compression];
  if (algorithm?.available !== true) throw new SluiceError('PROTOCOL_ERROR', `There is no compression ${compression}.`);
  if (compression === GZIP) return zlib.gunzipSync(bytes, { maxOutputLength: maxBytes });
  if (compression === ZSTD) return (zlib as unknown as Zstd).zstdDecompressSync(bytes, { maxOutputLength: maxBytes });
  const pieces = compression === SNAPPY ? snappyPieces(bytes) : [bytes];
  const sizeOf = compression === SNAPPY ? snappySize : (piece: Buffer) => lz4Size(piece, maxBytes);
  checkUnpacked(
    pieces.reduce((sum, piece) => sum + sizeOf(piece), 0),
    maxBytes,
  );
  return Buffer.concat(pieces.map((piece) => algorithm.decompressSync(piece)));
}

function snappyPieces(bytes: Buffer): Buffer[] {
  if (!bytes.subarray(0, FRAMED.length).equals(FRAMED)) return [bytes];
  const pieces: Buffer[] = [];
  for (let at = FRAME_HEAD; at < bytes.length;) {
    const from = at + 4;
    at = from + bytes.readUInt32BE(at);
    pieces.push(bytes.subarray(from, at));
  }
  return pieces;
}

/** What it begins with: seven bits in each byte, the lowest first. */
function snappySize(bytes: Buffer): number {
  let size = 0;
  for (let at = 0, place = 1; at < 5; at += 1, place *= 0x80) {
    const byte = bytes[at] ?? 0;
    size += (byte & 0x7f) * place;
    if (byte < 0x80) break;
  }
  return size;
}
