const FRAME = 0x18_4d_22_04;
/** Bits of what a frame says of itself. */
const FLAG = { dictionary: 0b1, contentChecksum: 0b100, contentSize: 0b1000, blockChecksum: 0b1_0000 } as const;
const STORED = 0x8000_0000;
const SHORTEST_MATCH = 4;

/**
 * How many bytes come out of frames of LZ4, without unpacking them; little more than `atMost` where it is more than that. What
 * is no frame has no size.
 *
 * Source: LZ4 Frame Format 1.6.3; LZ4 Block Format.
 *
 * @internal
 */
export function lz4Size(bytes: Uint8Array, atMost: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let size = 0;
  for (let at = 0; at + 7 <= bytes.length && view.getUint32(at, true) === FRAME;) {
    const flags = bytes[at + 4] ?? 0;
    at += 7 + ((flags & FLAG.contentSize) === 0 ? 0 : 8) + ((flags & FLAG.dictionary) === 0 ? 0 : 4);
    for (;;) {
      if (size > atMost || at + 4 > bytes.length) return size;
      const head = view.getUint32(at, true);
      at += 4;
      if (head === 0) break;
      const end = at + (head % STORED);
      size += head >= STORED ? head % STORED : blockSize(bytes, at, Math.min(end, bytes.length));
      at = end + ((flags & FLAG.blockChecksum) === 0 ? 0 : 4);
    }
    if ((flags & FLAG.contentChecksum) !== 0) at += 4;
  }
  return size;
}

/** A block is literals and copies of what came before, in turns; the last turn has no copy. */
function blockSize(bytes: Uint8Array, from: number, end: number): number {
  let size = 0;
  let at = from;
  /** Long ones go on in further bytes, up to one that is not full. */
  const length = (short: number): number => {
    let sum = short;
    for (let more = short === 15 ? 255 : 0; more === 255 && at < end; sum += more) more = bytes[at++] ?? 0;
    return sum;
  };
  while (at < end) {
    const token = bytes[at++] ?? 0;
    const literals = length(token >> 4);
    size += literals;
    at += literals;
    if (at >= end) break;
    at += 2;
    size += SHORTEST_MATCH + length(token & 15);
  }
  return size;
}
