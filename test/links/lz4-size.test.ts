import { compressionsAlgorithms } from '@platformatic/kafka';
import { Buffer } from 'node:buffer';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lz4Size } from '../../src/links/lz4-size.js';

const { lz4 } = compressionsAlgorithms;

describe('lz4Size', () => {
  it('is what comes out, for anything that is packed', () => {
    // The client's packer fails over nothing at all, where it has packed something large before.
    const piece = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 400 }),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 90_000 }))
        .map(([bytes, times]) => Buffer.alloc(times, bytes)),
    );
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
        const bytes = Buffer.concat(pieces);
        expect(lz4Size(lz4.compressSync(bytes), Infinity)).toBe(bytes.length);
      }),
    );
  });

  it('counts all frames, and stops soon after it is too much', () => {
    const packed = lz4.compressSync(Buffer.alloc(10_000_000));
    expect(lz4Size(Buffer.concat([packed, packed]), Infinity)).toBe(20_000_000);
    expect(lz4Size(packed, 1_000_000)).toBeLessThan(6_000_000);
  });

  it('comes to an end with bytes of any kind', () => {
    const head = Buffer.from([0x04, 0x22, 0x4d, 0x18]);
    expect(lz4Size(Buffer.from('none of it'), 10)).toBe(0);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(lz4Size(Buffer.concat([head, bytes]), 1_000)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
