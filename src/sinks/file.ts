import { checkAll } from '../connection/check-all.js';
import { CONFIRM_TIMEOUT_MS, defineSink, SINK_RULES, type SinkOptions } from '../connection/define-sink.js';
import type { Sink } from '../connection/flow.js';
import {
  callable,
  called,
  checkOptions,
  configInvalid,
  either,
  having,
  integer,
  numeric,
  oneOf,
  required,
  text,
} from '../connection/options.js';
import { SluiceError } from '../errors.js';
import { resolveInside } from '../links/file.js';
import { isBytes } from '../mappers/bytes.js';
import type { RecordMapper } from '../mappers/codec.js';
import { wellFormed } from '../mappers/utf8.js';
import type { Message } from '../message/message.js';
import type { FileSync } from './file-sync.js';
import { FileTarget } from './file-target.js';
import { FileWriter, type WriterPlan } from './file-writer.js';

/**
 * When a file is put aside and a new one begun: `maxBytes`, `everyMs` or both.
 *
 * @see fileSink
 */
export interface FileRotation {
  /** Before it would grow larger. A record that is larger alone has a file of its own. */
  readonly maxBytes?: number;
  /** With the first record after so long, counted from the first one of the file, also one of an earlier process. */
  readonly everyMs?: number;
  /** How many of the files put aside are kept, 0 or more; older ones are deleted. Default: all. */
  readonly keep?: number;
}

/** Options of {@link fileSink}. */
export interface FileSinkOptions extends SinkOptions {
  /** The file to append to; created with mode 0600. With `root` it is taken from there. */
  readonly path: string;
  /** A folder that the file may not lie outside of, symbolic links followed. Default: any place. */
  readonly root?: string;
  /** What is put after a record, unless a format does. Default one LF; the empty text is nothing. */
  readonly lineEnd?: '\n' | '\r\n' | '';
  /**
   * What has to happen before a message is acked: `batch` (default), all that came together was written and forced to
   * disk; `every`, each one for itself; `{ everyMs }`, forced to disk at most so often, less than `confirmTimeoutMs`; `never`, it was written, and a
   * power failure may still lose it.
   */
  readonly fsync?: FileSync;
  /**
   * What a full disk means: `nack` (default), what has no room is nacked by `onError`; `wait`, it is tried again every
   * second, and nothing more is taken until then. Choose `wait` where a source would give messages up meanwhile.
   */
  readonly onFull?: 'nack' | 'wait';
  /** When a file is put aside as `path.000001`, `path.000002` … Default: never. */
  readonly rotate?: FileRotation;
}

/**
 * How a payload of any type becomes a record: by a format, or by a function that gives its text or bytes.
 *
 * @see fileSink
 */
export type FileRecords<T> =
  | { readonly format: RecordMapper<T> }
  | { readonly record: (message: Message<T>) => string | Uint8Array };

/**
 * Appends each message to a file as one record and acks it once the record is on disk. Messages that come together are
 * written and forced to disk together.
 *
 * A full disk nacks what had no room (`FILE_FULL`, by `onError`), or waits, and leaves no part of it behind. After a crash, what
 * follows the last whole record is cut off when the file is opened: it was never acked. A file that was moved, deleted or
 * cut is begun anew; one that begins otherwise than the format does is refused. One process at a time may write to a file, and
 * one sink of it, which several flows may give to. `complete` writes what waits, then closes.
 *
 * @example
 * import { fileSink } from 'sluice/file';
 * import { ndjson, run } from 'sluice';
 * run(orders, fileSink({ path: 'orders.ndjson', format: ndjson<Order>(), rotate: { maxBytes: 10_000_000 } }));
 * @param options with `format`, the payload is written as a record of it, and a new file starts with its head; with
 *   `record`, what that function gives for the message is; without both, the payload has to be text or bytes
 * @throws SluiceError `CONFIG_INVALID`, `FILE_OUTSIDE_ROOT`. Messages are nacked with `FILE_FULL`, `ENCODE_FAILED` (dead),
 *   and when the file cannot be opened `FILE_DENIED`, `FILE_MISSING` (its folder), `FILE_IS_DIRECTORY`,
 *   `FILE_NOT_REGULAR`, `FILE_LINK_LOOP`, `CONFIG_INVALID` (its head is not that of the format)
 * Source: POSIX, open (O_APPEND) and fdatasync.
 * @see fileSource
 */
export function fileSink<T>(options: FileSinkOptions & FileRecords<T>): Sink<T>;
export function fileSink(options: FileSinkOptions): Sink<string | Uint8Array>;
export function fileSink<T>(options: AllOptions<T>): Sink<T> {
  checkAll('fileSink', [
    () =>
      checkOptions<AllOptions<T>>('fileSink', options, {
        ...SINK_RULES,
        path: required(text),
        root: text,
        lineEnd: oneOf('\n', '\r\n', ''),
        fsync: either(oneOf('every', 'batch', 'never'), having('everyMs')),
        onFull: oneOf('nack', 'wait'),
        rotate: having(),
        format: called('a record format such as ndjson()', 'encodeRecord', 'head', 'splitter'),
        record: callable,
      }),
    () => checkFormat(options),
    () => checkFsync(options),
    () => checkRotation(options),
  ]);
  const plan = planOf(options);
  return defineSink<T>(
    {
      connector: 'file',
      maxUnconfirmed: 4096,
      open: async (context) => new FileWriter<T>(plan, context, await FileTarget.open(plan)),
    },
    options,
  );
}

type AllOptions<T> = FileSinkOptions & {
  readonly format?: RecordMapper<T>;
  readonly record?: (message: Message<T>) => string | Uint8Array;
};

function checkFormat<T>({ format, record }: AllOptions<T>): void {
  if (format !== undefined && record !== undefined)
    throw configInvalid('fileSink', [`'format' and 'record' both say what is written: give one of them`]);
}

function checkFsync<T>({ fsync, confirmTimeoutMs = CONFIRM_TIMEOUT_MS }: AllOptions<T>): void {
  if (typeof fsync !== 'object') return;
  checkOptions('fileSink fsync', fsync, { everyMs: required(numeric(0)) });
  // Nothing would ever be confirmed in time, and all of it be written again and again.
  if (confirmTimeoutMs > 0 && fsync.everyMs >= confirmTimeoutMs) {
    const fault = `'fsync.everyMs' of ${fsync.everyMs} has to be less than 'confirmTimeoutMs' of ${confirmTimeoutMs}`;
    throw configInvalid('fileSink', [`${fault}: lower it, or raise that`]);
  }
}

function checkRotation<T>({ rotate }: AllOptions<T>): void {
  if (rotate === undefined) return;
  checkOptions<FileRotation>('fileSink rotate', rotate, {
    maxBytes: integer(1),
    everyMs: numeric(1),
    keep: integer(0),
  });
  // A file that somebody believes to be rotated would grow until the disk is full.
  if (rotate.maxBytes === undefined && rotate.everyMs === undefined)
    throw configInvalid('fileSink', [`'rotate' needs 'maxBytes' or 'everyMs': without one no file is put aside`]);
}

function planOf<T>(options: AllOptions<T>): WriterPlan<T> {
  const { format, record, lineEnd = '\n', fsync = 'batch', rotate = {} } = options;
  return {
    path: resolveInside(options.path, options.root),
    root: options.root,
    head: format?.head ?? new Uint8Array(0),
    format: format as RecordMapper<never> | undefined,
    lastByte: format === undefined && lineEnd === '' ? undefined : 0x0a,
    keep: rotate.keep ?? Infinity,
    durable: fsync !== 'never',
    sync: fsync,
    maxBytes: rotate.maxBytes ?? Infinity,
    everyMs: rotate.everyMs ?? Infinity,
    onFull: options.onFull ?? 'nack',
    record:
      format === undefined
        ? ended(lineEnd, record ?? (({ payload }) => payload as string), record === undefined ? PAYLOAD : RECORD)
        : (message) => format.encodeRecord(message.payload),
  };
}

const PAYLOAD = `the payload is neither text nor bytes. Give 'format', for example ndjson(), or 'record'.`;
const RECORD = `'record' gave neither text nor bytes. Return a string or a Uint8Array from it.`;

function ended<T>(
  lineEnd: string,
  recordOf: (message: Message<T>) => string | Uint8Array,
  unfit: string,
): (message: Message<T>) => string | Uint8Array {
  const end = new TextEncoder().encode(lineEnd);
  return (message) => {
    const content = recordOf(message);
    if (typeof content === 'string') return wellFormed(content) + lineEnd;
    if (!isBytes(content)) throw new SluiceError('ENCODE_FAILED', `fileSink: ${unfit}`);
    const record = new Uint8Array(content.length + end.length);
    record.set(content);
    record.set(end, content.length);
    return record;
  };
}
