import type { RecordMapper } from '../mappers/codec.js';

/**
 * Where a record stands: the `meta` of every message of a file source.
 *
 * @see fileSource
 */
export interface FileMeta {
  /** The file it was read from; after a rotation that can be the rotated one. */
  readonly path: string;
  /** Line on which it starts, from 1. */
  readonly line: number;
  /** Byte offset of its first byte. */
  readonly offset: number;
  /** How many bytes it takes there, its line end included. */
  readonly bytes: number;
}

/**
 * A format whose files can be read record by record, for example `ndjson()`.
 *
 * @see RecordMapper
 */
export type FileFormat<T> = Pick<RecordMapper<T>, 'name' | 'needsHead' | 'splitter'>;
