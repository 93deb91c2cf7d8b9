import * as client from '@platformatic/kafka';
import { Buffer } from 'node:buffer';
import zlib, { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decompressed, fetchAnswer } from '../../src/links/platformatic-fetch.js';

const TOO_LARGE = expect.objectContaining({ code: 'ERR_BUFFER_TOO_LARGE' });
const text = Buffer.from('one and the same text, one and the same text, one and the same text');
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

describe('fetchAnswer', () => {
  it('takes an answer apart, with the records of each partition as they came', () => {
    const writer = client.Writer.create().appendInt32(0).appendInt16(0).appendInt32(0);
    const parts = [
      { index: 3, error: 0, aborted: [{ id: 7n, first: 5n }], records: Buffer.from('records') },
      { index: 4, error: 6, aborted: null, records: Buffer.alloc(0) },
    ];
    writer.appendArray(['a'], (topic, name) => {
      topic.appendString(name).appendArray(parts, (part, { index, error, aborted, records }) => {
        part.appendInt32(index).appendInt16(error).appendInt64(9n).appendInt64(9n).appendInt64(0n);
        part.appendArray(aborted, (one, { id, first }) => one.appendInt64(id).appendInt64(first));
        part
          .appendInt32(-1)
          .appendUnsignedVarInt(records.length + 1)
          .append(records);
      });
    });
    expect(fetchAnswer(1, 1, 12, client.Reader.from(writer.appendTaggedFields().buffer))).toEqual({
      errorCode: 0,
      parts: [
        {
          topic: 'a',
          partition: 3,
          errorCode: 0,
          aborted: [{ producerId: 7n, firstOffset: 5n }],
          records: Buffer.from('records'),
        },
        { topic: 'a', partition: 4, errorCode: 6, aborted: [], records: Buffer.alloc(0) },
      ],
    });
  });

  it('keeps the error of the whole answer', () => {
    const writer = client.Writer.create().appendInt32(0).appendInt16(70).appendInt32(0);
    writer.appendArray([], () => undefined).appendTaggedFields();
    expect(fetchAnswer(1, 1, 12, client.Reader.from(writer.buffer))).toEqual({ errorCode: 70, parts: [] });
  });
});

describe('decompressed', () => {
  const { snappy, lz4 } = client.compressionsAlgorithms;

  it.each([
    ['gzip', 1, gzipSync(text)],
    ['snappy', 2, snappy.compressSync(text)],
    ['lz4', 3, lz4.compressSync(text)],
  ])('undoes %s', (_, compression, bytes) => {
    expect(decompressed(client, compression, bytes, text.length)).toEqual(text);
    // Not one byte more than it may.
    expect(() => decompressed(client, compression, bytes, text.length - 1)).toThrow(TOO_LARGE);
  });

  it('undoes zstd, on a Node that has it', (context) => {
    if (!('zstdCompressSync' in zlib)) context.skip('this Node has no zstd');
    const packed = client.compressionsAlgorithms.zstd.compressSync(text);
    expect(decompressed(client, 4, packed, text.length)).toEqual(text);
    expect(() => decompressed(client, 4, packed, text.length - 1)).toThrow(TOO_LARGE);
  });

  it('makes no 300 MiB of 300 KB, whatever they are packed with (S04, B11)', () => {
    const zeros = Buffer.alloc(1_048_576);
    const bombs = new Map([
      [1, Buffer.concat(Array.from({ length: 300 }, () => gzipSync(zeros)))],
      [2, Buffer.concat([Buffer.of(0x80, 0x80, 0x80, 0x96, 0x01), snappy.compressSync(zeros).subarray(3)])],
      [3, Buffer.concat(Array.from({ length: 300 }, () => lz4.compressSync(zeros)))],
    ]);
    const before = process.memoryUsage().rss;
    for (const [compression, bytes] of bombs)
      expect(() => decompressed(client, compression, bytes, 16 * zeros.length)).toThrow(TOO_LARGE);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * zeros.length);
  });

  it('undoes snappy in the frames of Java', () => {
    const pieces = [text.subarray(0, 20), text.subarray(20)].map((piece) => snappy.compressSync(piece));
    const head = Buffer.concat([Buffer.from([0x82]), Buffer.from('SNAPPY\0'), int32(1), int32(1)]);
    const framed = Buffer.concat([head, ...pieces.flatMap((piece) => [int32(piece.length), piece])]);
    expect(decompressed(client, 2, framed, text.length)).toEqual(text);
    expect(() => decompressed(client, 2, framed, text.length - 1)).toThrow(TOO_LARGE);
  });

  it('refuses what it does not know, and what is none of it', () => {
    expect(() => decompressed(client, 7, text, 100)).toThrow(
      expect.objectContaining({ code: 'PROTOCOL_ERROR', message: 'There is no compression 7.' }),
    );
    expect(() => decompressed(client, 1, text, 100)).toThrow('incorrect header check');
  });
});
