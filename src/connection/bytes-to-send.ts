import { SluiceError } from '../errors.js';

/**
 * The payload of a message for a transport that carries bytes.
 *
 * @throws SluiceError `ENCODE_FAILED` for anything else, `PAYLOAD_TOO_LARGE` for more than `maxBytes`
 * @internal
 */
export function bytesToSend(sink: string, payload: unknown, maxBytes: number): Uint8Array {
  if (!(payload instanceof Uint8Array))
    throw new SluiceError(
      'ENCODE_FAILED',
      `${sink} sends bytes: encode the payload before, for example with encode(json()).`,
    );
  if (payload.byteLength > maxBytes)
    throw new SluiceError(
      'PAYLOAD_TOO_LARGE',
      `${sink} sends at most ${maxBytes} bytes (maxBytes), this payload has ${payload.byteLength}.`,
    );
  return payload;
}
