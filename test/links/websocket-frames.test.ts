import { describe, expect, it } from 'vitest';
import { frameFault } from '../../src/links/websocket-frames.js';

describe('frameFault', () => {
  it('lets text and bytes up to the limit through and tells what is wrong with the rest (SNK-08, B10)', () => {
    expect(frameFault('x'.repeat(100), 100)).toBeUndefined();
    expect(frameFault(new Uint8Array(100), 100)).toBeUndefined();
    expect(frameFault(Buffer.alloc(100), 100)).toBeUndefined();
    expect(frameFault('x'.repeat(101), 100)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', details: { maxBytes: 100 } });
    expect(frameFault(new Uint8Array(101), 100)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    for (const payload of [{ a: 1 }, 7, null, undefined, [1], new ArrayBuffer(1)]) {
      expect(frameFault(payload, 100)).toMatchObject({ code: 'ENCODE_FAILED' });
    }
  });

  it('takes no text that would arrive as another one', () => {
    expect(frameFault('a😀'.slice(0, 2), 10)).toMatchObject({ code: 'ENCODE_FAILED', retriable: false });
    expect(frameFault('a😀', 10)).toBeUndefined();
  });

  it('counts bytes, not characters', () => {
    expect(frameFault('ä'.repeat(50), 100)).toBeUndefined();
    expect(frameFault('ä'.repeat(51), 100)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(frameFault('€'.repeat(33), 100)).toBeUndefined();
    expect(frameFault('€'.repeat(34), 100)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(frameFault('😀'.repeat(25), 100)).toBeUndefined();
    expect(frameFault('😀'.repeat(26), 100)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });
});
