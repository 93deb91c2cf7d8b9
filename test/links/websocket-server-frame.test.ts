import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as ws from 'ws';
import { serverFrame } from '../../src/links/websocket-server-frame.js';

// The framing of the package itself is the oracle.
const framed = (data: string | Uint8Array): Buffer =>
  Buffer.concat(
    (ws as unknown as { Sender: { frame(data: Buffer, options: object): Buffer[] } }).Sender.frame(Buffer.from(data), {
      fin: true,
      rsv1: false,
      mask: false,
      readOnly: false,
      opcode: typeof data === 'string' ? 1 : 2,
    }),
  );

it('builds the frame that ws builds', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), fc.uint8Array({ maxLength: 300 })), (data) => {
      expect(Buffer.compare(serverFrame(data), framed(data))).toBe(0);
    }),
  );
});

it.each([0, 125, 126, 127, 65_535, 65_536, 1_048_576])('gives %i bytes the header of their length', (size) => {
  const data = new Uint8Array(size).fill(7);
  expect(Buffer.compare(serverFrame(data), framed(data))).toBe(0);
});
