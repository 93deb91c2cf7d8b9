import { SluiceError } from '../errors.js';
import type { Mapper, RecordMapper, SplitRecord, Splitter, SplitStart } from './codec.js';
import { checkSize } from './size.js';

/** What a format with records has to supply; reading and writing whole payloads follows from it. */
export interface RecordFormat<T> {
  readonly name: string;
  readonly contentType: string;
  readonly maxBytes: number;
  readonly needsHead: boolean;
  readonly head: Uint8Array;
  encodeRecord(value: T): Uint8Array;
  /** The parts of a whole payload, when it is not the head and the records. */
  encodeAll?(values: readonly T[]): readonly Uint8Array[];
  splitter(start?: SplitStart): Splitter<T>;
}

/**
 * The mapper of a format with records.
 *
 * @internal
 */
export function recordMapper<T>(format: RecordFormat<T>): RecordMapper<T> {
  const { name, contentType, maxBytes } = format;
  const write = (values: readonly T[]): Uint8Array => {
    const parts = format.encodeAll?.(values) ?? [format.head, ...values.map((value) => format.encodeRecord(value))];
    return checkSize(name, concat(parts), maxBytes);
  };
  const read = (bytes: Uint8Array): T[] => {
    const splitter = format.splitter();
    const values: T[] = [];
    checkSize(name, bytes, maxBytes);
    const take = (records: Iterable<SplitRecord<T>>): void => {
      for (const { error, value } of records) {
        if (error !== undefined) throw error;
        values.push(value);
      }
    };
    take(splitter.push(bytes));
    take(splitter.end());
    return values;
  };
  const all: Mapper<T[]> = {
    name,
    contentType,
    encode(values) {
      // A copy has no holes, which would otherwise be left out.
      if (Array.isArray(values)) return write([...values]);
      throw new SluiceError('ENCODE_FAILED', `${name}: expected an array of records. For one record leave .all out.`);
    },
    decode: read,
  };
  return {
    name,
    contentType,
    all,
    head: format.head,
    needsHead: format.needsHead,
    encodeRecord: (value) => format.encodeRecord(value),
    splitter: (start) => format.splitter(start),
    encode: (value) => write([value]),
    decode(bytes) {
      const values = read(bytes);
      if (values.length === 1) return values[0] as T;
      const found = values.length === 0 ? 'none: the payload is empty' : values.length;
      throw new SluiceError('DECODE_FAILED', `${name}: expected one record, got ${found}. For lists use .all.`, {
        details: { records: values.length },
      });
    },
  };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
