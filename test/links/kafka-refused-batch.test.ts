import { crc32c } from '@platformatic/kafka';
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { recordBatch } from '../../src/links/kafka-record-batch.js';
import { checkUnpacked, refusedBatch } from '../../src/links/kafka-refused-batch.js';

describe('refusedBatch', () => {
  const value = Buffer.alloc(100_000, 'v');
  const head = { producer: undefined, isTransactional: false, compression: 'none', checksum: crc32c } as const;
  const batch = recordBatch([{ key: null, value, headers: {}, timeMs: 5 }], head);
  batch.writeBigInt64BE(10n);

  it('stands at its last offset with its first bytes, copied, and says which offsets are meant', () => {
    const record = refusedBatch(batch, new Error('bad'), 1_000);
    expect([record.offset, record.timeMs, record.bytes, record.value?.buffer.byteLength]).toEqual([
      10, 5, 65_536, 65_536,
    ]);
    expect(record.refusal).toMatchObject({
      code: 'DECODE_FAILED',
      message: 'kafka: the batch of offsets 10 to 10 cannot be read: bad',
      details: { firstOffset: 10, lastOffset: 10 },
    });
  });

  it('knows what is too much', () => {
    expect(() => checkUnpacked(1_000, 1_000)).not.toThrow();
    let cause: unknown;
    try {
      checkUnpacked(1_001, 1_000);
    } catch (error) {
      cause = error;
    }
    expect(refusedBatch(batch, cause, 1_000).refusal).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      message: 'kafka: the batch of offsets 10 to 10 unpacks to more than 1000 bytes.',
      retriable: false,
    });
  });
});
