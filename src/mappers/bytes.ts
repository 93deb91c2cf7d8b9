import { SluiceError } from '../errors.js';
import { checkOptions, integer } from '../options.js';
import { MAX_PAYLOAD_BYTES, type Mapper } from './codec.js';
import { checkSize } from './size.js';

/** Options of {@link bytes}. */
export interface BytesOptions {
  /** Largest payload in bytes, in and out. Default 1 MiB. */
  readonly maxBytes?: number;
}

/**
 * The payload's bytes as they are: nothing is copied, added or changed in either direction.
 *
 * @example
 * import { bytes, encode } from 'sluice';
 * raw.pipe(encode(bytes({ maxBytes: 8_388_608 })));
 * @param options `maxBytes`
 * @throws SluiceError `PAYLOAD_TOO_LARGE`; from `encode` also `ENCODE_FAILED` for anything but a Uint8Array
 * @see text
 */
export function bytes(options: BytesOptions = {}): Mapper<Uint8Array> {
  checkOptions('bytes', options, { maxBytes: integer(1) });
  const { maxBytes = MAX_PAYLOAD_BYTES } = options;
  return {
    name: 'bytes',
    contentType: 'application/octet-stream',
    encode(value) {
      if (!isBytes(value))
        throw new SluiceError(
          'ENCODE_FAILED',
          `bytes: expected a Uint8Array, got ${typeof value}. Encode the payload with json() or text() first.`,
        );
      return checkSize('bytes', value, maxBytes);
    },
    decode: (value) => checkSize('bytes', value, maxBytes),
  };
}

/** By tag, not instanceof: an array of another frame or realm holds bytes all the same. @internal */
export function isBytes(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Uint8Array]';
}
