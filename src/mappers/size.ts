import { SluiceError } from '../errors.js';

/**
 * Refuses a payload above `maxBytes`, in or out.
 *
 * @throws SluiceError `PAYLOAD_TOO_LARGE`
 * @internal
 */
export function checkSize(mapper: string, bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (bytes.length > maxBytes) throw tooLarge(mapper, `${bytes.length} bytes`, maxBytes);
  return bytes;
}

/** @internal */
export function tooLarge(mapper: string, size: string, maxBytes: number): SluiceError {
  return new SluiceError(
    'PAYLOAD_TOO_LARGE',
    `${mapper}: ${size} is above maxBytes ${maxBytes}. Raise maxBytes if payloads of that size are expected.`,
    { details: { mapper, maxBytes } },
  );
}
