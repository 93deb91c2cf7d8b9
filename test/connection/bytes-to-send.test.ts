import { describe, expect, it } from 'vitest';
import { bytesToSend } from '../../src/connection/bytes-to-send.js';

describe('bytesToSend', () => {
  it('gives the bytes as they are, up to the limit', () => {
    const payload = new Uint8Array(3);
    expect(bytesToSend('aSink', payload, 3)).toBe(payload);
  });

  it.each(['text', 7, null, undefined, { a: 1 }])('refuses %j, which was not encoded', (payload) => {
    expect(() => bytesToSend('aSink', payload, 3)).toThrow(
      expect.objectContaining({
        code: 'ENCODE_FAILED',
        message: 'aSink sends bytes: encode the payload before, for example with encode(json()).',
      }),
    );
  });

  it('refuses more than the limit, with both figures (B10)', () => {
    expect(() => bytesToSend('aSink', new Uint8Array(4), 3)).toThrow(
      expect.objectContaining({
        code: 'PAYLOAD_TOO_LARGE',
        message: 'aSink sends at most 3 bytes (maxBytes), this payload has 4.',
      }),
    );
  });
});
