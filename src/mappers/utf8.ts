import { SluiceError } from '../errors.js';

// Fatal, because a replacement character is data loss that nobody sees.
const keepsMark = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const stripsMark = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

/**
 * The text of UTF-8 bytes, never with a replacement character for what is not UTF-8.
 *
 * @param mark whether a byte-order mark at the start is part of the text
 * @throws SluiceError `DECODE_FAILED` that names the first bad byte
 * @internal
 */
export function decodeUtf8(bytes: Uint8Array, mark: 'keep' | 'strip'): string {
  try {
    return (mark === 'keep' ? keepsMark : stripsMark).decode(bytes);
  } catch (cause) {
    const byte = invalidUtf8At(bytes);
    throw new SluiceError('DECODE_FAILED', `invalid UTF-8 at byte ${byte}: the payload has to be UTF-8 text.`, {
      details: { byte },
      cause,
    });
  }
}

/**
 * The UTF-8 bytes of a text. A surrogate without its pair has none, and TextEncoder would write U+FFFD for it.
 *
 * @throws SluiceError `ENCODE_FAILED`
 * @internal
 */
export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(wellFormed(text));
}

/** The same text, when it has UTF-8 bytes of its own. @throws SluiceError `ENCODE_FAILED` @internal */
export function wellFormed(text: string): string {
  const at = loneSurrogateAt(text);
  if (at === -1) return text;
  const says = `the text has half a surrogate pair at character ${at}: it has no UTF-8 form.`;
  throw new SluiceError('ENCODE_FAILED', says, { details: { character: at } });
}

/** Position of a surrogate without its pair, or -1. @internal */
export function loneSurrogateAt(text: string): number {
  // Native where the host has it (ES2024): the search by pattern is ten times slower.
  const { isWellFormed } = text as { isWellFormed?: () => boolean };
  if (isWellFormed?.call(text) === true) return -1;
  return text.search(/\p{Cs}/u);
}

/**
 * The offset of the first byte that is not part of well-formed UTF-8, or -1.
 *
 * Source: The Unicode Standard, table 3-7 (well-formed UTF-8 byte sequences).
 * @internal
 */
export function invalidUtf8At(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes[at] as number;
    const length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length === 0) return at;
    for (let next = 1; next < length; next += 1) {
      const byte = bytes[at + next];
      if (byte === undefined || byte < lowest(lead, next) || byte > highest(lead, next)) return at;
    }
    at += length;
  }
  return -1;
}

// The second byte's range is narrower after some leads: it rules out overlong forms, surrogates and all above U+10FFFF.
function lowest(lead: number, at: number): number {
  if (at > 1) return 0x80;
  return lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
}

function highest(lead: number, at: number): number {
  if (at > 1) return 0xbf;
  return lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
}
