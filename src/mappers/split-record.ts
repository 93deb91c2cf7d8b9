import { SluiceError, toSluiceError } from '../errors.js';
import type { RecordPlace, SplitRecord } from './codec.js';

/** Its bytes are cut out of the chunk only when somebody asks for them: most records are never dead letters. */
class Taken implements RecordPlace {
  readonly line: number;
  readonly offset: number;
  readonly nextOffset: number;
  readonly value: unknown;
  readonly error: SluiceError | undefined;
  private readonly source: Uint8Array;
  private readonly from: number;
  private readonly to: number;

  constructor(
    line: number,
    offset: number,
    nextOffset: number,
    source: Uint8Array,
    from: number,
    to: number,
    value: unknown,
    error: SluiceError | undefined,
  ) {
    this.line = line;
    this.offset = offset;
    this.nextOffset = nextOffset;
    this.source = source;
    this.from = from;
    this.to = to;
    this.value = value;
    this.error = error;
  }

  get bytes(): Uint8Array {
    return this.source.subarray(this.from, this.to);
  }
}

/**
 * A record that lies in `source` from `from` to `to`, with its value or its error.
 *
 * @internal
 */
export function splitRecord<T>(
  line: number,
  offset: number,
  nextOffset: number,
  source: Uint8Array,
  from: number,
  to: number,
  value: T | undefined,
  error: SluiceError | undefined,
): SplitRecord<T> {
  return new Taken(line, offset, nextOffset, source, from, to, value, error) as unknown as SplitRecord<T>;
}

/**
 * The error of one record, told with its line and offset.
 *
 * @internal
 */
export function recordError(error: unknown, line: number, offset: number): SluiceError {
  const { code, message, details, retriable, cause } = toSluiceError(
    error,
    'DECODE_FAILED',
    'the record cannot be read',
  );
  return new SluiceError(code, `line ${line}: ${message}`, { retriable, cause, details: { ...details, line, offset } });
}
