import { defer } from 'rxjs';
import {
  defineSource,
  SOURCE_RULES,
  type Reader,
  type ReaderContext,
  type SourceOptions,
} from '../connection/define-source.js';
import { describeAs } from '../connection/describe.js';
import type { Flow } from '../connection/flow.js';
import {
  called,
  checkOptions,
  configInvalid,
  either,
  flag,
  having,
  integer,
  numeric,
  oneOf,
  required,
  text,
} from '../connection/options.js';
import { SOURCE_ELSEWHERE } from '../connection/source-options.js';
import { isSluiceError, SluiceError } from '../errors.js';
import { bytesUpTo, isAbsent, resolveInside } from '../links/file.js';
import { bytes } from '../mappers/bytes.js';
import { MAX_PAYLOAD_BYTES, type Splitter } from '../mappers/codec.js';
import { lines } from '../mappers/lines.js';
import { report } from '../observability/observe.js';
import { BLOCKS } from './file-blocks.js';
import { fileOffsets, isOffset, memoryOffsets, type OffsetStore } from './file-offsets.js';
import { FileReader, type FilePlan } from './file-reader.js';
import type { FileFormat } from './file-record.js';
import { findRotated } from './file-rotation.js';
import { TrackedFile } from './file-tracked.js';
import type { FileStart } from './file-walk.js';

/** Credit of a source whose user names none. */
const CREDIT = 128;
const LF = 0x0a;

/**
 * Options of {@link fileSource}.
 *
 * @see OffsetStore
 */
export interface FileSourceOptions extends SourceOptions {
  /** The file. With `root` it is taken from there. */
  readonly path: string;
  /** A folder that the file may not lie outside of, symbolic links followed. Default: any place. */
  readonly root?: string;
  /** The topic of its messages. Default: `path`. */
  readonly topic?: string;
  /**
   * What is one message: `lines` (default), the bytes of each line without its end; `bytes`, each chunk as it was read; or
   * a format such as `csv()`, each record as a value.
   */
  readonly format?: 'lines' | 'bytes' | FileFormat<unknown>;
  /** Goes on at the end of the file: waits for more, and follows rotations. Default false: completes there. */
  readonly follow?: boolean;
  /** Where the offset is kept over restarts: the path of a file for it, or a store. Default: nowhere. */
  readonly offsets?: string | OffsetStore;
  /**
   * Where to begin when no offset was saved. Default `start`; `end` leaves out the lines that the file has by then, but not
   * an unfinished last one, and counts lines from there; of a file that was waited for it leaves out nothing.
   */
  readonly from?: 'start' | 'end';
  /** How many settled records may be unsaved, and so be read again after a crash: 1 or more. Default 1,000. */
  readonly commitEvery?: number;
  /** How long they may be. Default 1,000 ms. */
  readonly commitIntervalMs?: number;
  /** How long a record that was nacked with `requeue` waits until it is delivered again. Default 100 ms. */
  readonly requeueDelayMs?: number;
  /** How often a file that is followed is looked at where the system reports no changes. Default 1,000 ms. */
  readonly pollMs?: number;
  /** How much is read at once: 1,024 bytes to 16 MiB. Default 256 KiB. */
  readonly chunkBytes?: number;
}

/**
 * The records of a file, each with where it stands as `meta` ({@link FileMeta}). It reads only while there is credit, so
 * memory does not grow with the file or with a slow consumer.
 *
 * Settling moves the offset: acked, dead and dropped records are done; one nacked with `requeue` is delivered again in its
 * place. The saved offset never passes a record that is not done, so after a kill at any point nothing is lost and at
 * most `credit` + `commitEvery` records come again. A record that cannot be decoded, or is too large, never enters the
 * flow: it goes to the stage that keeps dead letters, with its raw bytes, line and offset, and is `dead` without one.
 *
 * Completes at the end of the file, once all is settled; with `follow` it does not. Errors when the file cannot be read.
 * On unsubscribe and drain it reads no further, waits for what was delivered, and saves the offset.
 *
 * @example
 * import { fileSource } from 'sluice/file';
 * fileSource({ path: 'app.log', follow: true, offsets: 'app.log.offset' }).subscribe((message) => {
 *   console.log(new TextDecoder().decode(message.payload));
 *   message.ack();
 * });
 * @param options see {@link FileSourceOptions}
 * @throws SluiceError `CONFIG_INVALID`, `FILE_OUTSIDE_ROOT`. The flow errors with `FILE_MISSING` (with `follow` it waits
 *   instead), `FILE_DENIED`, `FILE_IS_DIRECTORY`, `FILE_NOT_REGULAR`, `FILE_LINK_LOOP`, `FILE_TRUNCATED`, `OFFSET_INVALID`
 * @see fileSink
 */
export function fileSource<T>(options: FileSourceOptions & { readonly format: FileFormat<T> }): Flow<T>;
export function fileSource(options: FileSourceOptions & { readonly format?: 'lines' | 'bytes' }): Flow<Uint8Array>;
export function fileSource(options: FileSourceOptions): Flow<unknown> {
  checkOptions<FileSourceOptions>(
    'fileSource',
    options,
    {
      ...SOURCE_RULES,
      path: required(text),
      root: text,
      topic: text,
      format: either(oneOf('lines', 'bytes'), called('a record format such as ndjson()', 'splitter')),
      follow: flag,
      offsets: either(text, having('load', 'save')),
      from: oneOf('start', 'end'),
      commitEvery: integer(1),
      commitIntervalMs: numeric(0),
      requeueDelayMs: numeric(0),
      pollMs: numeric(1),
      chunkBytes: integer(1024, 16 * 1024 * 1024),
    },
    SOURCE_ELSEWHERE,
  );
  const plan = planOf(options);
  const flow = defer(() => {
    // One subscription keeps its own place: after a failed read it goes on there.
    const own = plan.store === undefined ? { ...plan, store: memoryOffsets() } : { ...plan, store: plan.store };
    return defineSource<unknown>({ connector: 'file', credit: CREDIT, open: (context) => open(own, context) }, options);
  });
  const { credit = CREDIT } = options;
  return describeAs(flow, { kind: 'source', name: 'file', ...(typeof credit === 'number' ? { credit } : {}) });
}

type Plan = Omit<FilePlan<unknown>, 'store'> & { readonly store: OffsetStore | undefined };

function planOf(options: FileSourceOptions): Plan {
  const { path, root, format = 'lines', offsets, chunkBytes = 256 * 1024 } = options;
  if (offsets === path) throw configInvalid('fileSource', [`'offsets' is the file that is read: name another one`]);
  return {
    path: resolveInside(path, root),
    root,
    topic: options.topic ?? path,
    format: format === 'lines' ? lines(bytes()) : format === 'bytes' ? BLOCKS : format,
    follow: options.follow ?? false,
    store: typeof offsets === 'string' ? fileOffsets(resolveInside(offsets, root)) : offsets,
    from: options.from ?? 'start',
    commitEvery: options.commitEvery ?? 1000,
    commitIntervalMs: options.commitIntervalMs ?? 1000,
    requeueDelayMs: options.requeueDelayMs ?? 100,
    pollMs: options.pollMs ?? 1000,
    chunkBytes,
  };
}

async function open(plan: FilePlan<unknown>, context: ReaderContext<unknown>): Promise<Reader> {
  const start = await locate(plan);
  try {
    const splitter = await splitterAt(plan.format, start);
    return new FileReader(plan, context, start, splitter);
  } catch (error) {
    await start.file.handle.close();
    throw error;
  }
}

/** The file and place to go on at. */
async function locate(plan: FilePlan<unknown>): Promise<FileStart> {
  const { path, root, follow, store } = plan;
  const saved: unknown = await store.load();
  if (saved !== undefined && !isOffset(saved)) {
    const text = `The store given as 'offsets' loaded what is no offset. Give what was saved, or undefined for nothing.`;
    throw new SluiceError('OFFSET_INVALID', text);
  }
  const file = await openWhenThere(plan);
  try {
    if (saved === undefined) {
      const start = { file, offset: plan.from === 'end' ? await endOf(plan.format, file) : 0, line: 1 };
      // An offset that cannot be saved is better known before the first record than after the last.
      await store.save({ file: file.identity, offset: start.offset, line: 1 });
      return start;
    }
    const { offset, line } = saved;
    if (file.fits(saved)) return { file, offset, line };
    const rotated = follow && file.inode !== saved.file.inode ? await findRotated(path, root, saved) : undefined;
    if (rotated !== undefined) {
      await file.handle.close();
      return { file: rotated, offset, line };
    }
    const cause = file.inode === saved.file.inode ? 'truncated' : 'replaced';
    report({ type: 'source.moved', connector: 'file', topic: plan.topic, cause, position: offset });
    return { file, offset: 0, line: 1 };
  } catch (error) {
    await file.handle.close();
    throw error;
  }
}

/** Where the file's last line ends: one without an end is unfinished, and the rest of it would be no record. */
function endOf(format: FileFormat<unknown>, file: TrackedFile): number | Promise<number> {
  return format === BLOCKS ? file.openedBytes : bytesUpTo(LF, file.handle, file.openedBytes);
}

async function openWhenThere(plan: FilePlan<unknown>): Promise<TrackedFile> {
  const { path, root, follow } = plan;
  try {
    return await TrackedFile.open(path, root);
  } catch (error) {
    // What no file can be called never appears.
    if (!follow || !isSluiceError(error, 'FILE_MISSING') || !isAbsent(error.cause)) throw error;
    plan.from = 'start';
    const { message, details, cause } = error;
    throw new SluiceError('FILE_MISSING', message, { retriable: true, details, cause });
  }
}

async function splitterAt<T>(format: FileFormat<T>, { file, offset, line }: FileStart): Promise<Splitter<T>> {
  if (offset === 0) return format.splitter();
  const head = format.needsHead ? { head: await file.first(MAX_PAYLOAD_BYTES) } : {};
  return format.splitter({ offset, line, ...head });
}
