import { constants } from 'node:fs';
import { open, readFile, rename, unlink } from 'node:fs/promises';
import { SluiceError } from '../errors.js';
import { checkArgument, text } from '../options.js';
import { codeOf, fileError } from '../links/file.js';

/**
 * Which file an offset belongs to, whatever it is called by now.
 *
 * @see FileOffset
 */
export interface FileIdentity {
  /** The file's number in its file system: it stays when the file is renamed. */
  readonly inode: number;
  /** How many of its first bytes {@link headHash} was made of. */
  readonly headBytes: number;
  /** SHA-256 of those bytes: another file that was given the same number has other ones. */
  readonly headHash: string;
}

/**
 * Up to where a file is done.
 *
 * @see OffsetStore
 */
export interface FileOffset {
  readonly file: FileIdentity;
  /** Byte offset of the first record that is not settled. */
  readonly offset: number;
  /** Its line, from 1. */
  readonly line: number;
}

/**
 * Where a file source keeps its offset. One store serves one source.
 *
 * @see fileOffsets
 */
export interface OffsetStore {
  /** What was saved last; `undefined` when nothing was. */
  load(): FileOffset | undefined | PromiseLike<FileOffset | undefined>;
  /** Done once the offset would survive a crash. Never called while the save before it is under way. */
  save(offset: FileOffset): void | PromiseLike<void>;
}

/**
 * Keeps the offset in a small JSON file: written beside it, forced to disk and renamed over it, so that after a crash
 * there is the old offset or the new one and never half of one. It is created with mode 0600.
 *
 * @example
 * import { fileOffsets, fileSource } from 'sluice/file';
 * fileSource({ path: 'orders.csv', offsets: fileOffsets('orders.offset') });
 * @param path the file to keep it in; the same name with `.tmp` is used too
 * @throws SluiceError from `load`: `OFFSET_INVALID` when the file holds something else, `FILE_…`; from `save`: `OFFSET_INVALID`
 *   when somebody else saves to it as well, `FILE_…`
 * Source: POSIX, rename (one file or the other, never neither) and fdatasync.
 * @see fileSource
 */
export function fileOffsets(path: string): OffsetStore {
  checkArgument('fileOffsets', 'path', path, text);
  // A source that reopens may load while its former reader still saves.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <R>(work: () => Promise<R>): Promise<R> => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done.catch((error: unknown) => {
      throw fileError(error, path);
    });
  };
  return {
    load: () => inTurn(() => read(path)),
    save: (offset) => inTurn(() => write(path, offset)),
  };
}

/** Keeps the offset as long as the source is subscribed. @internal */
export function memoryOffsets(): OffsetStore {
  let kept: FileOffset | undefined;
  return {
    load: () => kept,
    save: (offset) => void (kept = offset),
  };
}

async function read(path: string): Promise<FileOffset | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(path, cause);
  }
  if (!isOffset(value)) throw invalid(path);
  return value;
}

async function write(path: string, offset: FileOffset): Promise<void> {
  const draft = `${path}.tmp`;
  const handle = await openNew(draft);
  try {
    await handle.writeFile(`${JSON.stringify(offset)}\n`);
    // Renaming first and writing later is what file systems may do: a crash would leave an empty file.
    await handle.datasync();
  } finally {
    await handle.close();
  }
  try {
    await rename(draft, path);
  } catch (error) {
    // Another source renamed it, or took it for what a killed process left.
    if (codeOf(error) === 'ENOENT') throw shared(path, error);
    throw error;
  }
}

/** Never through a link and never into a file of somebody else: what a killed process left is removed first. */
async function openNew(path: string): ReturnType<typeof open> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  try {
    return await open(path, flags, 0o600);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    await unlink(path);
    return open(path, flags, 0o600);
  }
}

function invalid(path: string, cause?: unknown): SluiceError {
  return new SluiceError(
    'OFFSET_INVALID',
    `'${path}' holds no offset. Delete it to read from the start, or name another file as 'offsets'.`,
    { details: { path }, cause },
  );
}

function shared(path: string, cause: unknown): SluiceError {
  return new SluiceError(
    'OFFSET_INVALID',
    `Somebody else saves to '${path}' as well. Give each source a file of its own as 'offsets'.`,
    { details: { path }, cause },
  );
}

/** True for what a store may load. @internal */
export function isOffset(value: unknown): value is FileOffset {
  if (!isObject(value) || !isObject(value['file'])) return false;
  const { inode, headBytes, headHash } = value['file'];
  // The number of a file can be larger than what a double holds exactly; it is only compared.
  return (
    [value['offset'], value['line'], headBytes].every((count) => Number.isSafeInteger(count) && Number(count) >= 0) &&
    Number.isFinite(inode) &&
    typeof headHash === 'string'
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
