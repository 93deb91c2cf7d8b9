import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isSluiceError } from '../errors.js';
import { fileError, isAbsent } from '../links/file.js';
import type { FileOffset } from './file-offsets.js';
import { TrackedFile } from './file-tracked.js';

interface Sibling {
  readonly name: string;
  readonly inode: number;
}

/** What a rotation compressed cannot be read on. */
const COMPRESSED = /\.(gz|bz2|xz|zst|lz4|zip)$/;

/** The number of the file that has this name now; `undefined` when none has. @internal */
export async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw fileError(error, path);
  }
}

/**
 * The file an offset was saved for, under whatever name beside `path` it has by now. Names may move on while this looks;
 * then it looks again.
 *
 * @internal
 */
export async function findRotated(
  path: string,
  root: string | undefined,
  saved: FileOffset,
): Promise<TrackedFile | undefined> {
  const { inode } = saved.file;
  let before = '';
  for (;;) {
    const all = await siblings(path);
    const sibling = all.find((one) => one.inode === inode);
    if (sibling === undefined) {
      // What is renamed during one look can be missed by it. Where a second one sees the same, it is not there.
      const seen = JSON.stringify(all);
      if (seen === before) return undefined;
      before = seen;
      continue;
    }
    const file = await openIfThere(join(dirname(path), sibling.name), root);
    if (file?.fits(saved) === true) return file;
    await file?.handle.close();
    if (file?.inode === inode) return undefined;
  }
}

async function openIfThere(path: string, root: string | undefined): Promise<TrackedFile | undefined> {
  try {
    return await TrackedFile.open(path, root);
  } catch (error) {
    if (isSluiceError(error, 'FILE_MISSING')) return undefined;
    throw error;
  }
}

/**
 * Opens the file that was begun after the one with this number: the next younger rotated one, or the one at `path`. Names
 * may move on while this looks; then it looks again.
 *
 * @throws SluiceError `FILE_MISSING` (retriable) while there is none at `path` yet
 * @internal
 */
export async function openNext(path: string, root: string | undefined, inode: number): Promise<TrackedFile> {
  for (;;) {
    const name = await nextName(path, inode);
    const file = await TrackedFile.open(name, root);
    if ((await nextName(path, inode)) === name && (await inodeOf(name)) === file.inode) return file;
    await file.handle.close();
  }
}

/**
 * What the file begun after this one is called now. Rotated names start with the file's own; `.1`, `.2` … grow with age,
 * all others (dates, `.000001`) with youth.
 *
 * @internal
 */
export async function nextName(path: string, inode: number): Promise<string> {
  const base = basename(path);
  const all = await siblings(path);
  const own = all.find((sibling) => sibling.inode === inode)?.name.slice(base.length);
  if (own === undefined || own === '') return path;
  const suffixes = all.map(({ name }) => name.slice(base.length)).filter((suffix) => suffix !== '');
  const age = ageOf(own);
  const next =
    age === undefined
      ? suffixes.filter((suffix) => shapeOf(suffix) === shapeOf(own) && suffix > own).sort()[0]
      : suffixes
          .filter((suffix) => (ageOf(suffix) ?? Infinity) < age)
          .sort((a, b) => (ageOf(b) as number) - (ageOf(a) as number))[0];
  return next === undefined ? path : path + next;
}

function ageOf(suffix: string): number | undefined {
  return /^\.\d{1,4}$/.test(suffix) ? Number(suffix.slice(1)) : undefined;
}

/** Suffixes of one scheme differ only in their digits. */
function shapeOf(suffix: string): string {
  return suffix.replaceAll(/\d/g, '0');
}

async function siblings(path: string): Promise<Sibling[]> {
  const folder = dirname(path);
  const base = basename(path);
  const found: Sibling[] = [];
  try {
    for (const name of await readdir(folder)) {
      if (!name.startsWith(base) || COMPRESSED.test(name)) continue;
      const inode = await inodeOf(join(folder, name));
      if (inode !== undefined) found.push({ name, inode });
    }
  } catch (error) {
    if (!isAbsent(error)) throw fileError(error, folder);
  }
  return found;
}
