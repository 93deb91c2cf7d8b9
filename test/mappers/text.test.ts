import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { text } from 'sluice';
import { codeOf, refusal, utf8 } from '../helpers/payloads.js';
import { runs } from '../helpers/runs.js';

const mapper = text();

describe('text', () => {
  it('decode(encode(x)) is x, a byte-order mark included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 50 }), (value) => {
        expect(mapper.decode(mapper.encode(value))).toBe(value);
      }),
    );
    expect(mapper.decode(mapper.encode('\uFEFFa'))).toBe('\uFEFFa');
    expect(mapper).toMatchObject({ name: 'text', contentType: 'text/plain; charset=utf-8' });
  });

  it('B04: names the first byte that is not UTF-8 and never replaces it', () => {
    const error = refusal(() => mapper.decode(Uint8Array.of(0x61, 0xff, 0x62)));
    expect(error).toMatchObject({ code: 'DECODE_FAILED', details: { byte: 1 } });
    expect(error.message).toContain('invalid UTF-8 at byte 1');
    expect(codeOf(() => mapper.encode('\uD800'))).toBe('ENCODE_FAILED');
  });

  it('B12: refuses to encode what is no text', () => {
    expect(codeOf(() => mapper.encode(7 as unknown as string))).toBe('ENCODE_FAILED');
  });

  it('B10: takes a payload of maxBytes and none of one byte more', () => {
    const small = text({ maxBytes: 3 });
    expect(small.decode(small.encode('é1'))).toBe('é1');
    expect(codeOf(() => small.encode('éé'))).toBe('PAYLOAD_TOO_LARGE');
    expect(codeOf(() => small.decode(utf8('abcd')))).toBe('PAYLOAD_TOO_LARGE');
    expect(codeOf(() => text({ maxBytes: 0 }))).toBe('CONFIG_INVALID');
    expect(mapper.decode(new Uint8Array(1_048_576))).toHaveLength(1_048_576);
    expect(codeOf(() => mapper.decode(new Uint8Array(1_048_577)))).toBe('PAYLOAD_TOO_LARGE');
  });

  it('answers any bytes with text or a SluiceError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const code = codeOf(() => mapper.decode(bytes));
        if (code === undefined) expect([...mapper.encode(mapper.decode(bytes))]).toStrictEqual([...bytes]);
        else expect(code).toBe('DECODE_FAILED');
      }),
      { numRuns: runs(1000) },
    );
  });
});
