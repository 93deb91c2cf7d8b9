import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { murmur2, partitionForKey } from '../../src/links/kafka-partitioner.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

// What Utils.murmur2 and BuiltInPartitioner.partitionForKey of kafka-clients 4.1.1 give: hash, of 3 and of 12 partitions.
const JAVA = [
  ['21', -973932308, 0, 0],
  ['foobar', -790332482, 0, 6],
  ['a-little-bit-long-string', -985981536, 2, 8],
  ['a-little-bit-longer-string', -1486304829, 2, 11],
  ['abc', 479470107, 0, 3],
  ['', 275646681, 0, 9],
  ['ä', -1937952267, 2, 5],
  ['漢字😀', -1048202797, 1, 7],
  ['order-17', 1568318961, 0, 9],
] as const;

describe('the partition of a key', () => {
  it.each(JAVA)("is that of Java's client for '%s'", (key, hash, ofThree, ofTwelve) => {
    const all = [murmur2(bytes(key)), partitionForKey(bytes(key), 3), partitionForKey(bytes(key), 12)];
    expect(all).toEqual([hash, ofThree, ofTwelve]);
  });

  it('is one of the partitions, always the same', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 1_000 }), (key, partitions) => {
        const partition = partitionForKey(key, partitions);
        expect(partition).toBe(partitionForKey(new Uint8Array(key), partitions));
        expect(Number.isInteger(partition) && partition >= 0 && partition < partitions).toBe(true);
      }),
    );
  });

  it('uses all of them', () => {
    const used = new Set(Array.from({ length: 200 }, (_, at) => partitionForKey(bytes(`key ${at}`), 8)));
    expect(used.size).toBe(8);
  });
});
