import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partitionOf, sizeOf } from '../../src/links/memory-record.js';

describe('partitionOf', () => {
  it('gives a key the same partition each time, and one there is', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 1024 }), (key, count) => {
        const partition = partitionOf(key, count);
        expect(Number.isInteger(partition) && partition >= 0 && partition < count).toBe(true);
        expect(partitionOf(key, count)).toBe(partition);
      }),
    );
  });

  it('spreads keys that differ in one digit', () => {
    const used = Array.from({ length: 1000 }, (_, at) => partitionOf(`customer-${at}`, 8));
    for (let partition = 0; partition < 8; partition += 1) {
      expect(used.filter((one) => one === partition).length).toBeGreaterThan(60);
    }
  });
});

describe('sizeOf', () => {
  it('counts bytes of binary and characters of text, and nothing else', () => {
    expect(sizeOf(new Uint8Array(7))).toBe(7);
    expect(sizeOf(new DataView(new ArrayBuffer(5)))).toBe(5);
    expect(sizeOf(new ArrayBuffer(3))).toBe(3);
    expect(sizeOf('four')).toBe(4);
    expect([null, undefined, 12, {}, [1, 2]].map(sizeOf)).toEqual([0, 0, 0, 0, 0]);
  });
});
