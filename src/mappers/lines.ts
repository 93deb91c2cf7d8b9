import { SluiceError, toSluiceError } from '../errors.js';
import { called, checkArgument, checkOptions, flag, integer, text as label } from '../options.js';
import { MAX_PAYLOAD_BYTES, type Mapper, type RecordMapper } from './codec.js';
import { LineSplitter } from './line-splitter.js';
import { recordMapper } from './record-mapper.js';
import { checkSize } from './size.js';
import { text } from './text.js';

const LF = 0x0a;
const CR = 0x0d;
const MAPPER = called('a mapper with name, encode and decode, such as json()', 'name', 'encode', 'decode');

/** Options of {@link lines}. */
export interface LinesOptions {
  /** Largest line, and largest whole payload, in bytes. Default 1 MiB. */
  readonly maxBytes?: number;
  /** Leaves out lines of nothing but white space. Default false. */
  readonly skipBlank?: boolean;
  /** Default: `lines` and the name of the mapper. */
  readonly name?: string;
  /** Default: the mapper's own. */
  readonly contentType?: string;
}

/**
 * One value per line, each line read and written by `mapper`; without one, lines of text.
 *
 * Lines end with LF or CRLF and are written with LF; a CR elsewhere belongs to its line. A byte-order mark at the start of
 * the file is left out. The last line needs no line end. A line above `maxBytes` is an error of that record alone: it is
 * skipped without being kept.
 *
 * @example
 * import { lines } from 'sluice';
 * lines().all.decode(body); // string[]
 * @param mapper reads and writes one line, without its end
 * @param options `maxBytes`, `skipBlank`, `name`, `contentType`
 * @throws SluiceError from `decode`: what the mapper throws, with `line` and `offset` in its details, and
 *   `PAYLOAD_TOO_LARGE`; from `encode`: what the mapper throws, `PAYLOAD_TOO_LARGE`, and `ENCODE_FAILED` when a value
 *   would not come back as one line
 * @see ndjson
 */
export function lines(mapper?: undefined, options?: LinesOptions): RecordMapper<string>;
export function lines<T>(mapper: Mapper<T>, options?: LinesOptions): RecordMapper<T>;
export function lines<T>(
  mapper: Mapper<T> | undefined,
  options: LinesOptions = {},
): RecordMapper<T> | RecordMapper<string> {
  if (mapper !== undefined) checkArgument('lines', 'mapper', mapper, MAPPER);
  checkOptions('lines', options, { maxBytes: integer(1), skipBlank: flag, name: label, contentType: label });
  return mapper === undefined
    ? mapperOf(text({ maxBytes: options.maxBytes ?? MAX_PAYLOAD_BYTES }), options)
    : mapperOf(mapper, options);
}

function mapperOf<T>(mapper: Mapper<T>, options: LinesOptions): RecordMapper<T> {
  const { maxBytes = MAX_PAYLOAD_BYTES, skipBlank = false } = options;
  const name = options.name ?? `lines of ${mapper.name}`;
  const format = { mapper, maxBytes, skipBlank };
  return recordMapper<T>({
    name,
    contentType: options.contentType ?? mapper.contentType,
    maxBytes,
    needsHead: false,
    head: new Uint8Array(0),
    encodeRecord(value) {
      const bytes = checkSize(name, encoded(mapper, value), maxBytes);
      const unfit = whyNoLine(bytes, skipBlank);
      if (unfit !== undefined) throw new SluiceError('ENCODE_FAILED', `${name}: ${unfit}`);
      const line = new Uint8Array(bytes.length + 1);
      line.set(bytes);
      line[bytes.length] = LF;
      return line;
    },
    splitter: (start = {}) => new LineSplitter(format, start),
  });
}

function encoded<T>(mapper: Mapper<T>, value: T): Uint8Array {
  try {
    return mapper.encode(value);
  } catch (error) {
    throw toSluiceError(error, 'ENCODE_FAILED', `${mapper.name} failed`);
  }
}

/** Why reading the line would not give these bytes again. */
function whyNoLine(bytes: Uint8Array, skipBlank: boolean): string | undefined {
  if (bytes.includes(LF)) return 'the value has a line end inside, so it would be read as several records.';
  if (bytes[bytes.length - 1] === CR) return 'the value ends with CR, which would be read as part of the line end.';
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf)
    return 'the value starts with a byte-order mark, which would be left out when it is read.';
  if (skipBlank && bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === CR))
    return 'the value is a blank line, which would be left out when it is read.';
  return undefined;
}
