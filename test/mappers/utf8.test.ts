import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, encodeUtf8, invalidUtf8At } from '../../src/mappers/utf8.js';
import { refusal, utf8 } from '../helpers/payloads.js';
import { runs } from '../helpers/runs.js';

describe('UTF-8', () => {
  it.each([
    ['61 ff 62', 1],
    ['80', 0],
    ['c0 af', 0],
    ['c1 bf', 0],
    ['e0 9f bf', 0],
    ['61 ed a0 80', 1],
    ['f0 8f bf bf', 0],
    ['f4 90 80 80', 0],
    ['f5 80 80 80', 0],
    ['61 62 e2 82', 2],
    ['e2 82 ac e2 28 a1', 3],
    ['f0 9f 98', 0],
    ['c2 80 df bf ff', 4],
    ['e0 a0 80 ed 80 80 ed 9f bf ee 80 80 ff', 12],
    ['f0 90 80 80 f1 80 80 80 f4 8f bf bf ff', 12],
    ['', -1],
    ['f4 8f bf bf', -1],
    ['ef bf bd', -1],
  ])('B04: the first bad byte of %s is at %d', (hex, at) => {
    expect(invalidUtf8At(Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex')))).toBe(at);
  });

  it('B04: has a bad byte exactly when a strict decoder refuses, and all before it is text', () => {
    const strict = new TextDecoder('utf-8', { fatal: true });
    const byte = fc.oneof(
      fc.nat(255),
      fc.constantFrom(0xe0, 0xed, 0xef, 0xf0, 0xf4, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 12 }), (list) => {
        const bytes = Uint8Array.from(list);
        const at = invalidUtf8At(bytes);
        if (at === -1) {
          expect(() => strict.decode(bytes)).not.toThrow();
        } else {
          expect(() => strict.decode(bytes)).toThrow();
          expect(() => strict.decode(bytes.subarray(0, at))).not.toThrow();
        }
      }),
      { numRuns: runs(3000) },
    );
  });

  it('B03: strips a byte-order mark only where it is asked to', () => {
    expect(decodeUtf8(utf8('\uFEFF\uFEFFa'), 'strip')).toBe('\uFEFFa');
    expect(decodeUtf8(utf8('\uFEFFa'), 'keep')).toBe('\uFEFFa');
  });

  it('B04: does not write half a surrogate pair', () => {
    expect(refusal(() => encodeUtf8('ab\uD800c'))).toMatchObject({ code: 'ENCODE_FAILED', details: { character: 2 } });
    expect(refusal(() => encodeUtf8('\uDC00\uD800'))).toMatchObject({ details: { character: 0 } });
    expect(decodeUtf8(encodeUtf8('é𝄞'), 'keep')).toBe('é𝄞');
  });
});
