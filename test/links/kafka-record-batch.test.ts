import { crc32c, Reader, readRecordsBatch, type RecordsBatch } from '@platformatic/kafka';
import fc from 'fast-check';
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import type { KafkaOutgoing } from '../../src/links/kafka-driver.js';
import { recordBatch, type KafkaBatchHead } from '../../src/links/kafka-record-batch.js';
import { runs } from '../helpers/runs.js';

const plain: KafkaBatchHead = { producer: undefined, isTransactional: false, compression: 'none', checksum: crc32c };
const read = (bytes: Buffer): RecordsBatch => readRecordsBatch(Reader.from(bytes));

const bytes = fc.uint8Array({ maxLength: 200 }).map((given) => Buffer.from(given));
const record: fc.Arbitrary<KafkaOutgoing> = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.dictionary(
    fc.string({ maxLength: 20 }),
    fc.oneof(bytes, fc.array(bytes, { minLength: 1, maxLength: 3 })),
  ),
  timeMs: fc.integer({ min: 0, max: 2 ** 52 - 1 }),
});

describe('recordBatch', () => {
  it('is read by another implementation as what it was made of, whatever that is', () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 12 }),
        fc.constantFrom('none', 'gzip'),
        (records, compression) => {
          const made = recordBatch(records, { ...plain, compression });
          const batch = read(made);
          expect(batch.length).toBe(made.length - 12);
          expect(batch.crc).toBe(crc32c(made.subarray(21)));
          expect([batch.firstOffset, batch.lastOffsetDelta, batch.records.length]).toEqual([
            0n,
            records.length - 1,
            records.length,
          ]);
          expect(batch.maxTimestamp).toBe(BigInt(Math.max(...records.map(({ timeMs }) => timeMs))));
          for (const [at, { key, value, headers, timeMs }] of records.entries()) {
            const one = batch.records[at]!;
            expect([one.offsetDelta, batch.firstTimestamp + one.timestampDelta]).toEqual([at, BigInt(timeMs)]);
            expect([one.key, one.value]).toEqual([key, value]);
            const pairs = Object.entries(headers).flatMap(([name, given]) =>
              [given].flat().map((single) => [Buffer.from(name), single]),
            );
            expect(one.headers).toEqual(pairs);
          }
        },
      ),
      { numRuns: runs(50) },
    );
  });

  it('says who wrote it, and that it is part of a transaction', () => {
    const out = { key: null, value: null, headers: {}, timeMs: 0 };
    const producer = { id: 2n ** 40n, epoch: 7, sequence: 2 ** 31 - 1 };
    expect(read(recordBatch([out], { ...plain, producer, isTransactional: true }))).toMatchObject({
      producerId: producer.id,
      producerEpoch: 7,
      firstSequence: 2 ** 31 - 1,
      attributes: 0b1_0000,
    });
    expect(read(recordBatch([out], plain))).toMatchObject({
      producerId: -1n,
      producerEpoch: -1,
      firstSequence: -1,
      attributes: 0,
    });
  });

  it('keeps times that lie further apart than 32 bits reach', () => {
    const at = (timeMs: number): KafkaOutgoing => ({ key: null, value: null, headers: {}, timeMs });
    const times = [1_000, 5_000_000_000_000, 0, 2 ** 52 - 1];
    const batch = read(recordBatch(times.map(at), plain));
    expect(batch.records.map(({ timestampDelta }) => Number(batch.firstTimestamp + timestampDelta))).toEqual(times);
  });
});
