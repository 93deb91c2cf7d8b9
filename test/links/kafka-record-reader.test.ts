import { crc32c } from '@platformatic/kafka';
import { Buffer } from 'node:buffer';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { KafkaOutgoing } from '../../src/links/kafka-driver.js';
import { AT, recordBatch } from '../../src/links/kafka-record-batch.js';
import { BROKEN, zipped } from '../helpers/kafka-broken.js';
import {
  recordsOf,
  type KafkaAborted,
  type KafkaRead,
  type KafkaUnpacking,
} from '../../src/links/kafka-record-reader.js';

interface Patch {
  readonly attributes?: number;
  readonly producerId?: bigint;
  readonly maxTime?: bigint;
}

const record = (value: string | null, more: Partial<KafkaOutgoing> = {}): KafkaOutgoing => ({
  key: null,
  value: value === null ? null : Buffer.from(value),
  headers: {},
  timeMs: 1_000,
  ...more,
});

/** As it comes back from a broker, which says where it stands. */
function batch(
  firstOffset: number,
  records: readonly KafkaOutgoing[],
  { attributes, producerId, maxTime }: Patch = {},
  compression: 'none' | 'gzip' = 'none',
): Buffer {
  const bytes = recordBatch(records, { producer: undefined, isTransactional: false, compression, checksum: crc32c });
  bytes.writeBigInt64BE(BigInt(firstOffset));
  if (attributes !== undefined) bytes.writeInt16BE(attributes, AT.attributes);
  if (producerId !== undefined) bytes.writeBigInt64BE(producerId, AT.producer);
  if (maxTime !== undefined) bytes.writeBigInt64BE(maxTime, AT.maxTime);
  return bytes;
}
const texts = (firstOffset: number, values: string, patch?: Patch): Buffer =>
  batch(
    firstOffset,
    Array.from(values, (value) => record(value)),
    patch,
  );
/** The end of a transaction: the version, then what became of it. */
const marker = (offset: number, type: 'abort' | 'commit', producerId: bigint): Buffer =>
  batch(offset, [record('', { key: Buffer.of(0, 0, 0, type === 'abort' ? 0 : 1) })], {
    attributes: 0b11_0000,
    producerId,
  });
const inTransaction = (producerId: bigint): Patch => ({ attributes: 0b1_0000, producerId });
const unpacking = (maxBytes = 100_000): KafkaUnpacking => ({
  decompress: (_, bytes) => gunzipSync(bytes, { maxOutputLength: maxBytes }),
  maxBytes,
  leftBytes: maxBytes,
});
const read = (
  batches: readonly Buffer[],
  from: number,
  aborted: readonly KafkaAborted[] = [],
  how: KafkaUnpacking = unpacking(),
): KafkaRead => recordsOf(Buffer.concat(batches), aborted, from, how);
const shown = ({ records, nextOffset }: KafkaRead): string =>
  `${records.map(({ offset, value }) => `${offset}${String(value)}`).join(' ')} | ${nextOffset}`;

describe('recordsOf', () => {
  it.each(['none', 'gzip'] as const)(
    'gives back what was written: keys, tombstones, empty values, headers twice, times; compression %s',
    (compression) => {
      const a = [Buffer.from('1'), Buffer.from('2'), Buffer.from('3')];
      const written = [
        record('v', { key: Buffer.from('k'), headers: { a, b: Buffer.of(255) } }),
        record(null, { timeMs: 900 }),
        record('', { timeMs: 5_000_000_000_000 }),
        record('x'.repeat(70_000)),
      ];
      const { records, nextOffset } = read([batch(7, written, {}, compression)], 7);
      expect(nextOffset).toBe(11);
      expect(records.map(({ offset, timeMs }) => [offset, timeMs])).toEqual([
        [7, 1_000],
        [8, 900],
        [9, 5_000_000_000_000],
        [10, 1_000],
      ]);
      expect(records.map(({ value }) => (value === null ? null : String(value)))).toEqual([
        'v',
        null,
        '',
        'x'.repeat(70_000),
      ]);
      expect(records.map(({ key }) => key)).toEqual([Buffer.from('k'), null, null, null]);
      // The lengths of its fields, as they stand there, take some more.
      expect(records.map(({ bytes }) => bytes)).toEqual([2 + 4 + 2 + 13, 3, 3, 70_000 + 5]);
      expect({ ...records[0]?.headers }).toEqual({ a, b: Buffer.of(255) });
      expect(records[1]?.headers).toBeUndefined();
    },
  );

  it('leaves out what lies before the offset, since brokers give whole batches', () => {
    expect(shown(read([texts(0, 'abc'), texts(3, 'de')], 2))).toBe('2c 3d 4e | 5');
    expect(shown(read([texts(0, 'abc')], 3))).toBe(' | 3');
    expect(shown(read([], 3))).toBe(' | undefined');
  });

  it('leaves a batch that is cut off for the next time', () => {
    const [first, second] = [texts(0, 'abc'), texts(3, 'de')];
    expect(shown(read([first, second.subarray(0, -1)], 0))).toBe('0a 1b 2c | 3');
    expect(shown(read([first, second.subarray(0, 20)], 0))).toBe('0a 1b 2c | 3');
  });

  it('goes on behind records that were compacted away', () => {
    const compacted = texts(0, 'abc');
    compacted.writeInt32BE(1, AT.count);
    expect(shown(read([compacted], 0))).toBe('0a | 3');
  });

  it('takes the time of the broker where the topic is stamped by it', () => {
    expect(read([texts(0, 'a', { attributes: 0b1000, maxTime: 42n })], 0).records[0]?.timeMs).toBe(42);
  });

  it('leaves out control records, and goes on behind them', () => {
    const batches = [texts(0, 'a', inTransaction(1n)), marker(1, 'commit', 1n), texts(2, 'b'), marker(3, 'commit', 1n)];
    expect(shown(read(batches, 0))).toBe('0a 2b | 4');
  });

  it('leaves out what was written in transactions that were aborted, and only that', () => {
    const batches = [
      texts(0, 'a', inTransaction(1n)),
      texts(1, 'b', inTransaction(2n)),
      texts(2, 'c'),
      marker(3, 'abort', 1n),
      texts(4, 'd', inTransaction(1n)),
      marker(5, 'commit', 2n),
      marker(6, 'commit', 1n),
      texts(7, 'e', inTransaction(2n)),
      marker(8, 'abort', 2n),
    ];
    const aborted = [
      { producerId: 2n, firstOffset: 7n },
      { producerId: 1n, firstOffset: 0n },
    ];
    expect(shown(read(batches, 0, aborted))).toBe('1b 2c 4d | 9');
    // The same, begun in the middle of the first transaction, and right at its end.
    expect(shown(read(batches.slice(2), 2, aborted))).toBe('2c 4d | 9');
    expect(shown(read(batches.slice(3), 3, aborted))).toBe('4d | 9');
    expect(shown(read(batches, 0))).toBe('0a 1b 2c 4d 7e | 9');
  });

  it('refuses what is no such batch', () => {
    const old = texts(0, 'a');
    old[AT.magic] = 1;
    expect(() => read([old], 0)).toThrow('the form of version 1');
    const mark = marker(0, 'abort', 1n);
    mark.writeInt8(40, AT.records);
    expect(() => read([mark], 0)).toThrow('cut off');
  });

  it.each(BROKEN)('refuses alone a batch %s, packed or not (B11, F12)', (_, breakIt, reason) => {
    const broken = texts(1, 'bcd');
    breakIt(broken);
    for (const bad of [broken, zipped(broken)]) {
      const { records, nextOffset } = read([texts(0, 'a'), bad, texts(4, 'e')], 0);
      expect([records.map(({ offset, refusal }) => [offset, refusal?.code]), nextOffset]).toEqual([
        [
          [0, undefined],
          [3, 'DECODE_FAILED'],
          [4, undefined],
        ],
        5,
      ]);
      expect(records[1]?.refusal?.message).toContain(reason);
    }
  });

  it('refuses alone a batch that unpacks to more than it may, or to nothing (S04, B11, F12)', () => {
    const bomb = batch(1, [record('x'.repeat(200_000)), record('y')], { maxTime: 7n }, 'gzip');
    const broken = batch(3, [record('z')], {}, 'gzip');
    const cut = Buffer.concat([broken.subarray(0, -4)]);
    cut.writeInt32BE(cut.length - AT.leaderEpoch, AT.length);
    const { records, nextOffset } = read([texts(0, 'a'), bomb, cut, texts(4, 'b')], 0);
    expect([records.map(({ offset }) => offset), nextOffset]).toEqual([[0, 2, 3, 4], 5]);
    expect(records.map(({ refusal }) => refusal?.code)).toEqual([
      undefined,
      'PAYLOAD_TOO_LARGE',
      'DECODE_FAILED',
      undefined,
    ]);
    expect(records[1]).toMatchObject({
      key: null,
      timeMs: 7,
      value: new Uint8Array(bomb.subarray(AT.records)),
      refusal: { details: { firstOffset: 1, lastOffset: 2, maxBytes: 100_000 } },
    });
  });

  it('leaves what is packed for the next answer once as much as may be was unpacked (S04, RES-01)', () => {
    const packed = [0, 1, 2].map((at) => batch(at, [record('x'.repeat(60_000))], {}, 'gzip'));
    const how = unpacking();
    const { records, nextOffset } = read([...packed, texts(3, 'a')], 0, [], how);
    expect([records.length, nextOffset]).toEqual([2, 2]);
    expect(read([texts(0, 'a'), ...packed.slice(1)], 0, [], how).nextOffset).toBe(1);
    expect(read(packed, 0, [], how).nextOffset).toBeUndefined();
  });
});
