import { ChunkSplitter } from './chunk-splitter.js';
import type { Mapper, SplitRecord, SplitStart } from './codec.js';
import { tooLarge } from './size.js';
import { recordError, splitRecord } from './split-record.js';

const LF = 0x0a;
const CR = 0x0d;

/** What a line splitter needs to know of its format. */
export interface LineFormat<T> {
  readonly mapper: Mapper<T>;
  /** Largest line in bytes, without its end. */
  readonly maxBytes: number;
  readonly skipBlank: boolean;
}

/**
 * Records that end with LF or CRLF, found on the bytes, each decoded by a mapper.
 *
 * @internal
 */
export class LineSplitter<T> extends ChunkSplitter<T> {
  private readonly format: LineFormat<T>;

  constructor(format: LineFormat<T>, start: SplitStart) {
    // One byte more than a line may have, for the CR of a line of exactly maxBytes.
    super(format.maxBytes + 1, start);
    this.format = format;
  }

  protected override next(): SplitRecord<T> | undefined {
    const { chunk, pending } = this;
    while (this.at < chunk.length) {
      const from = this.at;
      const end = chunk.indexOf(LF, from);
      if (end === -1) {
        pending.append(chunk, from, chunk.length);
        this.at = chunk.length;
        return undefined;
      }
      this.at = end + 1;
      const record = pending.length === 0 ? this.record(chunk, from, end, end - from) : this.joined(from, end);
      if (record !== undefined) return record;
    }
    return undefined;
  }

  protected override last(): SplitRecord<T> | undefined {
    return this.pending.length === 0 ? undefined : this.joined(0, 0);
  }

  /** The line that began in an earlier chunk and ends at `end` of this one. */
  private joined(from: number, end: number): SplitRecord<T> | undefined {
    const { pending } = this;
    pending.append(this.chunk, from, end);
    const { length } = pending;
    const bytes = pending.take();
    return this.record(bytes, 0, bytes.length, length);
  }

  /** The line in `source`, of which `length` bytes came. It ends before the place that was reached in the chunk. */
  private record(source: Uint8Array, from: number, to: number, length: number): SplitRecord<T> | undefined {
    const { format, line, offset } = this;
    const nextOffset = this.base + this.at;
    this.line += 1;
    this.offset = nextOffset;
    // Of a line that is too large its last byte is not there.
    const cut = length === to - from && source[to - 1] === CR ? 1 : 0;
    const end = to - cut;
    if (length - cut > format.maxBytes) {
      const error = tooLarge(format.mapper.name, `a line of ${length - cut} bytes`, format.maxBytes);
      const kept = from + format.maxBytes;
      return splitRecord<T>(line, offset, nextOffset, source, from, kept, undefined, recordError(error, line, offset));
    }
    if (format.skipBlank && isBlank(source, from, end)) return undefined;
    try {
      const value = format.mapper.decode(source.subarray(from, end));
      return splitRecord(line, offset, nextOffset, source, from, end, value, undefined);
    } catch (error) {
      return splitRecord<T>(line, offset, nextOffset, source, from, end, undefined, recordError(error, line, offset));
    }
  }
}

function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] as number;
    if (byte !== 0x20 && byte !== 0x09 && byte !== CR) return false;
  }
  return true;
}
