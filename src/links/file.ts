import { Buffer } from 'node:buffer';
import { constants, type Stats } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { isSluiceError, SluiceError, type ErrorCode } from '../errors.js';

/** A regular file that is open. */
export interface OpenedFile {
  readonly handle: FileHandle;
  readonly stats: Stats;
}

/** How to open a file. */
export interface OpenFileOptions {
  /** `O_…` flags. */
  readonly flags: number;
  /** The folder that the file has to be in, symbolic links followed. Default: anywhere. */
  readonly root?: string | undefined;
  /** Permissions of a file that this creates. */
  readonly mode?: number;
}

/** How much is searched at once. */
const STEP_BYTES = 64 * 1024;

/**
 * Opens a regular file. It never waits for the other end of a pipe, and with `root` never leaves that folder by `..` or a
 * symbolic link.
 *
 * @throws SluiceError one of the `FILE_…` codes; what it had opened is closed again
 * @internal
 */
export async function openFile(path: string, options: OpenFileOptions): Promise<OpenedFile> {
  const { flags, root, mode } = options;
  try {
    const real = root === undefined ? path : await pathInside(path, root);
    // Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
    const noFollow = root === undefined ? 0 : constants.O_NOFOLLOW;
    const handle = await open(real, flags | constants.O_NONBLOCK | noFollow, mode);
    try {
      const stats = await handle.stat();
      checkRegular(stats, path);
      return { handle, stats };
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    // What is created by opening it is never missing itself.
    if ((flags & constants.O_CREAT) !== 0 && isAbsent(error)) throw folderMissing(path, error);
    throw fileError(error, path);
  }
}

/** True when the system says that nothing has that name, or that what should be its folder is a file. @internal */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error));
}

function folderMissing(path: string, cause: unknown): SluiceError {
  return new SluiceError('FILE_MISSING', `The folder of '${path}' does not exist: create it, or correct 'path'.`, {
    details: { path, errno: codeOf(cause) },
    cause,
  });
}

/** How many of a file's `size` bytes there are up to and with the last one that is `byte`; 0 when none is. @internal */
export async function bytesUpTo(byte: number, handle: FileHandle, size: number): Promise<number> {
  const step = Buffer.alloc(Math.min(size, STEP_BYTES));
  for (let end = size; end > 0; end -= step.length) {
    const from = Math.max(0, end - step.length);
    const { bytesRead } = await handle.read(step, 0, end - from, from);
    const at = step.subarray(0, bytesRead).lastIndexOf(byte);
    if (at !== -1) return from + at + 1;
  }
  return 0;
}

/** The path, taken as inside `root`. @throws SluiceError `FILE_OUTSIDE_ROOT` when its text leads out @internal */
export function resolveInside(path: string, root: string | undefined): string {
  if (root === undefined) return path;
  const resolved = resolve(root, path);
  if (!isInside(resolved, resolve(root))) throw outside(path);
  return resolved;
}

/** Where the path leads, its last part included if it exists. */
async function pathInside(path: string, root: string): Promise<string> {
  const base = await realpath(root);
  let real: string;
  try {
    real = await realpath(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    // It is to be created: only its folder can lead out, and O_NOFOLLOW refuses a dangling link.
    real = join(await realpath(dirname(path)), basename(path));
  }
  if (!isInside(real, base)) throw outside(path);
  return real;
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && resolve(folder, way) === path;
}

function outside(path: string): SluiceError {
  return new SluiceError('FILE_OUTSIDE_ROOT', `'${path}' leads out of the folder given as 'root'.`, {
    details: { path },
  });
}

function checkRegular(stats: Stats, path: string): void {
  if (stats.isFile()) return;
  if (stats.isDirectory()) throw isDirectory(path);
  const kind = stats.isFIFO() ? 'a pipe' : stats.isSocket() ? 'a socket' : 'a device';
  throw new SluiceError('FILE_NOT_REGULAR', `'${path}' is ${kind}: it has no offsets. Name a regular file.`, {
    details: { path, kind },
  });
}

function isDirectory(path: string, cause?: unknown): SluiceError {
  return new SluiceError('FILE_IS_DIRECTORY', `'${path}' is a folder. Name a file in it.`, {
    details: { path },
    cause,
  });
}

interface Known {
  readonly code: ErrorCode;
  readonly says: string;
  readonly retriable?: boolean;
}

const DENIED: Known = { code: 'FILE_DENIED', says: 'may not be opened: change its permissions or the user' };
const FULL: Known = { code: 'FILE_FULL', says: 'has no room left: free space on its disk', retriable: true };
const MISSING: Known = { code: 'FILE_MISSING', says: 'does not exist: create it, or correct the path' };
const KNOWN: Readonly<Record<string, Known>> = {
  ENOENT: MISSING,
  // What should be a folder on the way is a file.
  ENOTDIR: MISSING,
  ENAMETOOLONG: { code: 'FILE_MISSING', says: 'has too long a name: shorten it' },
  // A path with a NUL in it, which Node refuses before it asks the system.
  ERR_INVALID_ARG_VALUE: MISSING,
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: DENIED,
  ELOOP: { code: 'FILE_LINK_LOOP', says: 'is a symbolic link that leads nowhere or may not be followed' },
  // A pipe without a reader, or a device without a driver.
  ENXIO: { code: 'FILE_NOT_REGULAR', says: 'is a pipe, a socket or a device. Name a regular file' },
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: FULL,
};

/** What the system said of a file, as an error of ours that says what to do. @internal */
export function fileError(error: unknown, path: string): SluiceError {
  if (isSluiceError(error)) return error;
  const code = codeOf(error);
  if (code === 'EISDIR') return isDirectory(path, error);
  const known = KNOWN[code] ?? { code: 'FILE_FAILED', says: `failed with ${code || 'an error'}`, retriable: true };
  return new SluiceError(known.code, `'${path}' ${known.says}.`, {
    retriable: known.retriable ?? false,
    details: { path, errno: code },
    cause: error,
  });
}

/** The system's name of an error, `''` when it has none. @internal */
export function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
