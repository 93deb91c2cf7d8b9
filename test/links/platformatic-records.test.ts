import { crc32c, Reader, readRecordsBatches, type RecordsBatch } from '@platformatic/kafka';
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import type { KafkaOutgoing } from '../../src/links/kafka-driver.js';
import { recordBatch } from '../../src/links/kafka-record-batch.js';
import { recordsOf, type KafkaRead } from '../../src/links/platformatic-records.js';

const record = (value: string | null, more: Partial<KafkaOutgoing> = {}): KafkaOutgoing => ({
  key: null,
  value: value === null ? null : Buffer.from(value),
  headers: {},
  timeMs: 1_000,
  ...more,
});

/** As it comes back from a broker. */
function batch(
  firstOffset: number,
  records: readonly KafkaOutgoing[],
  patch: Partial<RecordsBatch> = {},
): RecordsBatch {
  const head = { producer: undefined, isTransactional: false, compression: 'none', checksum: crc32c } as const;
  const [read] = readRecordsBatches(Reader.from(recordBatch(records, head)));
  return { ...(read as RecordsBatch), firstOffset: BigInt(firstOffset), ...patch };
}
const texts = (firstOffset: number, values: string, patch?: Partial<RecordsBatch>): RecordsBatch =>
  batch(
    firstOffset,
    Array.from(values, (value) => record(value)),
    patch,
  );
/** The end of a transaction: the version, then what became of it. */
const marker = (offset: number, type: 'abort' | 'commit', producerId: bigint): RecordsBatch =>
  batch(offset, [record('', { key: Buffer.of(0, 0, 0, type === 'abort' ? 0 : 1) })], {
    attributes: 0b11_0000,
    producerId,
  });
const inTransaction = (producerId: bigint): Partial<RecordsBatch> => ({ attributes: 0b1_0000, producerId });
const shown = ({ records, nextOffset }: KafkaRead): string =>
  `${records.map(({ offset, value }) => `${offset}${String(value)}`).join(' ')} | ${nextOffset}`;

describe('recordsOf', () => {
  it('gives back what was written: keys, tombstones, empty values, headers twice, times', () => {
    const written = [
      record('v', { key: Buffer.from('k'), headers: { a: [Buffer.from('1'), Buffer.from('2')], b: Buffer.of(255) } }),
      record(null, { timeMs: 900 }),
      record('', { timeMs: 5_000_000_000_000 }),
    ];
    const { records, nextOffset } = recordsOf([batch(7, written)], [], 7);
    expect(nextOffset).toBe(10);
    expect(records.map(({ offset, timeMs }) => [offset, timeMs])).toEqual([
      [7, 1_000],
      [8, 900],
      [9, 5_000_000_000_000],
    ]);
    expect(records.map(({ value }) => value)).toEqual([Buffer.from('v'), null, Buffer.of()]);
    expect(records.map(({ key }) => key)).toEqual([Buffer.from('k'), null, null]);
    expect({ ...records[0]?.headers }).toEqual({ a: [Buffer.from('1'), Buffer.from('2')], b: Buffer.of(255) });
    expect(records[1]?.headers).toBeUndefined();
  });

  it('leaves out what lies before the offset, since brokers give whole batches', () => {
    expect(shown(recordsOf([texts(0, 'abc'), texts(3, 'de')], [], 2))).toBe('2c 3d 4e | 5');
    expect(shown(recordsOf([texts(0, 'abc')], [], 3))).toBe(' | 3');
    expect(shown(recordsOf([], [], 3))).toBe(' | undefined');
  });

  it('goes on behind records that were compacted away', () => {
    const compacted = texts(0, 'abc');
    compacted.records.splice(1, 2);
    expect(shown(recordsOf([compacted], [], 0))).toBe('0a | 3');
  });

  it('takes the time of the broker where the topic is stamped by it', () => {
    const stamped = texts(0, 'a', { attributes: 0b1000, maxTimestamp: 42n });
    expect(recordsOf([stamped], [], 0).records[0]?.timeMs).toBe(42);
  });

  it('leaves out control records, and goes on behind them', () => {
    const batches = [texts(0, 'a', inTransaction(1n)), marker(1, 'commit', 1n), texts(2, 'b'), marker(3, 'commit', 1n)];
    expect(shown(recordsOf(batches, [], 0))).toBe('0a 2b | 4');
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
    expect(shown(recordsOf(batches, aborted, 0))).toBe('1b 2c 4d | 9');
    // The same, begun in the middle of the first transaction.
    expect(shown(recordsOf(batches.slice(2), aborted, 2))).toBe('2c 4d | 9');
    expect(shown(recordsOf(batches, null, 0))).toBe('0a 1b 2c 4d 7e | 9');
  });
});
