import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { bytes } from 'sluice';
import { codeOf } from '../helpers/payloads.js';

describe('bytes (S2.22, S2.25, S2.52)', () => {
  it('hands on the very same array in both directions', () => {
    const value = Uint8Array.from({ length: 256 }, (_, at) => at);
    expect(bytes().decode(value)).toBe(value);
    expect(bytes().encode(value)).toBe(value);
    expect(bytes().encode(Buffer.from('x'))).toHaveLength(1);
    expect(bytes()).toMatchObject({ name: 'bytes', contentType: 'application/octet-stream' });
  });

  it('takes an array of another realm, and nothing that is no Uint8Array', () => {
    const foreign = runInNewContext('Uint8Array.of(1)') as Uint8Array;
    expect(foreign).not.toBeInstanceOf(Uint8Array);
    expect(bytes().encode(foreign)).toBe(foreign);
    for (const value of ['abc', [1], new Uint16Array(1), new ArrayBuffer(1), null])
      expect(codeOf(() => bytes().encode(value as unknown as Uint8Array))).toBe('ENCODE_FAILED');
  });

  it('B10: refuses more than maxBytes in both directions', () => {
    const small = bytes({ maxBytes: 2 });
    expect(small.decode(new Uint8Array(2))).toHaveLength(2);
    expect(codeOf(() => small.decode(new Uint8Array(3)))).toBe('PAYLOAD_TOO_LARGE');
    expect(codeOf(() => small.encode(new Uint8Array(3)))).toBe('PAYLOAD_TOO_LARGE');
    expect(codeOf(() => bytes().decode(new Uint8Array(1_048_577)))).toBe('PAYLOAD_TOO_LARGE');
    expect(codeOf(() => bytes({ maxBytes: 0 }))).toBe('CONFIG_INVALID');
  });
});
