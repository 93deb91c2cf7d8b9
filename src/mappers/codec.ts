import type { SluiceError } from '../errors.js';

/**
 * The largest payload a mapper takes in or gives out unless its `maxBytes` says otherwise: 1 MiB.
 *
 * @see Mapper
 */
export const MAX_PAYLOAD_BYTES = 1_048_576;

/**
 * Payload bytes to a value and back. Pure: no state between calls, no streams, the same in a browser.
 *
 * A mapper either returns or throws a SluiceError; it never returns half a value. `decode` never keeps or changes the
 * bytes; only `bytes()` hands on the very array it was given.
 *
 * @example
 * import type { Mapper } from 'sluice';
 * const flags: Mapper<boolean> = {
 *   name: 'flags',
 *   contentType: 'application/octet-stream',
 *   encode: (on) => Uint8Array.of(on ? 1 : 0),
 *   decode: (bytes) => bytes[0] === 1,
 * };
 * @see RecordMapper
 */
export interface Mapper<T> {
  /** Short and stable, for texts and for looking it up: `json`, `csv`. */
  readonly name: string;
  /** The media type of what `encode` gives, for the header `content-type`. */
  readonly contentType: string;
  /** @throws SluiceError `ENCODE_FAILED`, `PAYLOAD_TOO_LARGE` */
  encode(value: T): Uint8Array;
  /** @throws SluiceError `DECODE_FAILED`, `SCHEMA_INVALID`, `PAYLOAD_TOO_LARGE`, `LIMIT_…` */
  decode(bytes: Uint8Array): T;
}

/** Where a {@link Splitter} begins when it does not begin at the first byte of a file. */
export interface SplitStart {
  /** Byte offset of the next chunk: 0 or the `nextOffset` of an earlier record. Default 0. */
  readonly offset?: number;
  /** Line number at that offset, from 1. Default 1. */
  readonly line?: number;
  /**
   * The first bytes of the file, whole lines or not, when `offset` is past them and the format keeps its column names
   * there ({@link RecordMapper.needsHead}). At least its first record, at most the `maxBytes` of the mapper.
   */
  readonly head?: Uint8Array;
}

/**
 * Where one record of a file stands, and its bytes.
 *
 * @see RecordMapper
 */
export interface RecordPlace {
  /** Line on which it starts, from 1. */
  readonly line: number;
  /** Byte offset of its first byte. */
  readonly offset: number;
  /** Byte offset of the record after it: where to go on once this one is done. */
  readonly nextOffset: number;
  /** Its bytes without the line end, for a dead letter. Of a record that was too large, the first ones. */
  readonly bytes: Uint8Array;
}

/**
 * One record of a file: its value, or why it has none. A bad record never ends the file.
 *
 * @see Splitter
 */
export type SplitRecord<T> = RecordPlace &
  (
    | { readonly error: undefined; readonly value: T }
    /** `error.details` has `line` and `offset`, and `column` where the format has columns. */
    | { readonly error: SluiceError; readonly value: undefined }
  );

/**
 * Cuts chunks of a file into records. It holds at most the chunk it was given last and one unfinished record, and of that
 * never more than `maxBytes`.
 *
 * Records are pulled: what was not yet taken from the iterable stays where it is, so a reader that is out of credit stops
 * taking and goes on later with the same iterable; leaving a `for … of` early loses nothing either.
 *
 * @example
 * import { ndjson } from 'sluice';
 * const splitter = ndjson<Order>().splitter();
 * for (const record of splitter.push(chunk)) {
 *   if (record.error === undefined) handle(record.value, record.nextOffset);
 * }
 * @see RecordMapper
 */
export interface Splitter<T> {
  /**
   * The records that this chunk completes. The chunk must not be changed while its records are in use.
   * @throws RangeError when records of the chunk before were not all taken, or after {@link end}
   */
  push(chunk: Uint8Array): Iterable<SplitRecord<T>>;
  /** The record that the end of the file completes, if any. Do not call it on a file that still grows. */
  end(): Iterable<SplitRecord<T>>;
}

/**
 * A mapper of a format that puts many values into one file, one record each.
 *
 * As a {@link Mapper} it reads and writes a payload with exactly one record; `all` reads and writes whole payloads of any
 * number; `head`, `encodeRecord` and `splitter` are for files that are written and read bit by bit.
 *
 * @example
 * import { ndjson } from 'sluice';
 * const orders = ndjson<Order>();
 * orders.all.decode(body); // Order[]
 * @see ndjson
 * @see lines
 */
export interface RecordMapper<T> extends Mapper<T> {
  /** The same format with a list as its value: any number of records, also none. */
  readonly all: Mapper<T[]>;
  /** What a new file starts with, for example the CSV header; often empty. */
  readonly head: Uint8Array;
  /** True when a splitter that starts past the beginning needs {@link SplitStart.head}. */
  readonly needsHead: boolean;
  /** One record with its line end, to be appended to a file that began with {@link head}. */
  encodeRecord(value: T): Uint8Array;
  splitter(start?: SplitStart): Splitter<T>;
}
