import { SluiceError } from '../errors.js';
import { checkOptions, integer } from '../options.js';
import { MAX_PAYLOAD_BYTES, type Mapper } from './codec.js';
import { checkSize } from './size.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

/** Options of {@link text}. */
export interface TextOptions {
  /** Largest payload in bytes, in and out. Default 1 MiB. */
  readonly maxBytes?: number;
}

/**
 * UTF-8 text, exactly: what is not UTF-8 is an error and never a replacement character, and a byte-order mark stays part
 * of the text.
 *
 * @example
 * import { decode, text } from 'sluice';
 * raw.pipe(decode(text()));
 * @param options `maxBytes`
 * @throws SluiceError from `decode`: `DECODE_FAILED` naming the first bad byte, `PAYLOAD_TOO_LARGE`; from `encode`:
 *   `ENCODE_FAILED` for anything but text and for half a surrogate pair, `PAYLOAD_TOO_LARGE`
 * Source: RFC 3629; WHATWG Encoding, `fatal` and `ignoreBOM` of a TextDecoder.
 * @see lines
 */
export function text(options: TextOptions = {}): Mapper<string> {
  checkOptions('text', options, { maxBytes: integer(1) });
  const { maxBytes = MAX_PAYLOAD_BYTES } = options;
  return {
    name: 'text',
    contentType: 'text/plain; charset=utf-8',
    encode(value) {
      if (typeof value !== 'string')
        throw new SluiceError(
          'ENCODE_FAILED',
          `text: expected a text, got ${typeof value}. Map the payload to text first.`,
        );
      return checkSize('text', encodeUtf8(value), maxBytes);
    },
    decode: (bytes) => decodeUtf8(checkSize('text', bytes, maxBytes), 'keep'),
  };
}
