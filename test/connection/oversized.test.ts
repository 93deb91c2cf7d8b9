import { describe, expect, it } from 'vitest';
import { oversized } from '../../src/connection/oversized.js';

describe('oversized', () => {
  it('keeps the first bytes, without the memory of the rest, and says both figures (S03, B10)', () => {
    const { payload, refusal } = oversized('aSource', Uint8Array.of(1, 2, 3, 4), 3);
    expect([payload, payload.buffer.byteLength]).toEqual([Uint8Array.of(1, 2, 3), 3]);
    expect(refusal).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      message: 'aSource takes at most 3 bytes (maxBytes), this payload has 4.',
      details: { maxBytes: 3, bytes: 4 },
    });
  });

  it('keeps no more than every sink takes', () => {
    expect(oversized('aSource', new Uint8Array(2_000_000), 1_048_576).payload.byteLength).toBe(65_536);
  });
});
