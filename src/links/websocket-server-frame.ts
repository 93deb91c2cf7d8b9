import { Buffer } from 'node:buffer';
import type { WebSocketData } from './websocket-wire.js';

/**
 * A whole unmasked frame, as a server sends it, built once to be written to many sockets.
 *
 * Source: RFC 6455, 5.2.
 *
 * @internal
 */
export function serverFrame(data: WebSocketData): Uint8Array {
  const size = typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength;
  const headerBytes = size < 126 ? 2 : size < 65_536 ? 4 : 10;
  // Not from the pool: a frame may wait for long in many queues and would keep its neighbours.
  const frame = Buffer.allocUnsafeSlow(headerBytes + size);
  frame[0] = typeof data === 'string' ? 0x81 : 0x82;
  if (headerBytes === 2) frame[1] = size;
  else if (headerBytes === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(size, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(Math.floor(size / 2 ** 32), 2);
    frame.writeUInt32BE(size >>> 0, 6);
  }
  if (typeof data === 'string') frame.write(data, headerBytes);
  else frame.set(data, headerBytes);
  return frame;
}
