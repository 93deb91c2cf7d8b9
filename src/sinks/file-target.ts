import { Buffer } from 'node:buffer';
import { constants, type Stats } from 'node:fs';
import { open, readdir, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import process from 'node:process';
import { SluiceError } from '../errors.js';
import { bytesUpTo, fileError, isAbsent, openFile } from '../links/file.js';
import type { RecordMapper } from '../mappers/codec.js';
import { report } from '../observability/observe.js';
import { upToWholeRecord } from './file-tail.js';

/** What a target has to know of its files. */
export interface TargetPlan {
  readonly path: string;
  readonly root: string | undefined;
  /** What a new file starts with. */
  readonly head: Uint8Array;
  /** What its records are read by; `undefined` when nobody says how to read them. */
  readonly format: RecordMapper<never> | undefined;
  /** The last byte of every record; `undefined` when records have no end of their own. */
  readonly lastByte: number | undefined;
  /** How many rotated files are kept. */
  readonly keep: number;
  /** True when names have to survive a crash too. */
  readonly durable: boolean;
}

/** What other programs may put before the head of a text. */
const MARK = Buffer.of(0xef, 0xbb, 0xbf);
const LINE_END = /^\r?\n/;

/** The files that sinks of this process have open: two would cut off what the other has written. */
const openFiles = new Set<string>();

const APPEND = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND;

/**
 * The file that is appended to, with the name it has now and how long it is.
 *
 * @internal
 */
export class FileTarget {
  readonly handle: FileHandle;
  /** How long it is, everything written included. */
  bytes: number;
  private readonly plan: TargetPlan;
  private readonly opened: Stats;

  private constructor(plan: TargetPlan, handle: FileHandle, opened: Stats, bytes: number) {
    this.plan = plan;
    this.handle = handle;
    this.opened = opened;
    this.bytes = bytes;
  }

  /**
   * Opens it for appending, mode 0600 when it is new. What a crash left behind the last whole record is cut off: it was
   * never confirmed, so it comes again. A file that begins otherwise than the format does is left as it is.
   */
  static async open(plan: TargetPlan): Promise<FileTarget> {
    const { handle, stats } = await openFile(plan.path, { flags: APPEND, root: plan.root, mode: 0o600 });
    const file = `${stats.dev}:${stats.ino}`;
    if (openFiles.has(file)) {
      await handle.close();
      throw new SluiceError(
        'FILE_FAILED',
        `'${plan.path}' is written to by another sink of this process: give one sink to all flows that write to it.`,
        { retriable: true, details: { path: plan.path } },
      );
    }
    openFiles.add(file);
    try {
      const { lastByte, format } = plan;
      // Without an end of their own, whole records cannot be told from others.
      const lines = lastByte === undefined ? stats.size : await bytesUpTo(lastByte, handle, stats.size);
      const target = new FileTarget(plan, handle, stats, lines);
      if (lines > 0) {
        await target.checkHead();
        if (format !== undefined) target.bytes = await upToWholeRecord(format, handle, lines);
      }
      if (target.bytes < stats.size) await handle.truncate(target.bytes);
      if (target.bytes === 0 && plan.durable) await syncFolder(dirname(plan.path));
      return target;
    } catch (error) {
      openFiles.delete(file);
      await handle.close();
      throw fileError(error, plan.path);
    }
  }

  async close(): Promise<void> {
    openFiles.delete(`${this.opened.dev}:${this.opened.ino}`);
    await this.handle.close();
  }

  /** True while its name still leads to it, with all that is in it: nobody moved, removed, replaced or cut it. */
  async isInPlace(): Promise<boolean> {
    try {
      const { ino, dev, size } = await stat(this.plan.path);
      return ino === this.opened.ino && dev === this.opened.dev && size >= this.bytes;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  }

  /** Appends all of it, with the head in front where nothing is there yet, or leaves the file as long as it was. */
  async append(records: Uint8Array): Promise<void> {
    const bytes = this.bytes === 0 ? Buffer.concat([this.plan.head, records]) : records;
    let written = 0;
    try {
      while (written < bytes.length) {
        const { bytesWritten } = await this.handle.write(bytes, written, bytes.length - written);
        written += bytesWritten;
      }
    } catch (error) {
      if (written > 0) await this.handle.truncate(this.bytes);
      throw error;
    }
    this.bytes += written;
  }

  /** True when no name leads to it any more: what is in it is gone once it is closed. */
  async isDeleted(): Promise<boolean> {
    return (await this.handle.stat()).nlink === 0;
  }

  /** How long it is with the head that it has or will have. */
  get bytesWithHead(): number {
    return Math.max(this.bytes, this.plan.head.length);
  }

  /** How long ago it was begun, as far as its file system tells; of one without a record, none. */
  ageMs(nowMs: number): number {
    const { birthtimeMs } = this.opened;
    return this.isEmpty || birthtimeMs <= 0 ? 0 : Math.max(0, nowMs - birthtimeMs);
  }

  /** True when no record is in it. */
  get isEmpty(): boolean {
    return this.bytes <= this.plan.head.length;
  }

  /** Puts it aside under the next number and opens a new one. */
  async rotate(): Promise<FileTarget> {
    const { path, keep } = this.plan;
    await this.handle.datasync();
    const numbers = await rotatedNumbers(path);
    const next = (numbers.at(-1) ?? 0) + 1;
    numbers.push(next);
    try {
      await rename(path, nameOf(path, next));
    } catch (error) {
      // Somebody else was quicker.
      if (!isAbsent(error)) throw fileError(error, nameOf(path, next));
    }
    await this.close();
    for (const old of numbers.slice(0, Math.max(0, numbers.length - keep))) await remove(nameOf(path, old));
    return FileTarget.open(this.plan);
  }

  /** Records under the names of others would be read wrongly, or not at all. Line ends may differ. */
  private async checkHead(): Promise<void> {
    const { head, path } = this.plan;
    if (head.length === 0) return;
    // The bytes as text, one character each.
    const wanted = Buffer.from(head).toString('latin1');
    const content = wanted.replace(/\r?\n$/, '');
    const start = Buffer.alloc(MARK.length + content.length + 2);
    const { bytesRead } = await this.handle.read(start, 0, start.length, 0);
    const from = start.subarray(0, MARK.length).equals(MARK) ? MARK.length : 0;
    const found = start.toString('latin1', from, bytesRead);
    const isWhole = content === wanted || LINE_END.test(found.slice(content.length));
    if (isWhole && found.startsWith(content)) return;
    const shown = JSON.stringify(Buffer.from(head.subarray(0, 200)).toString().trimEnd());
    const cure = `bring the columns into the order of the file, or give another 'path'`;
    throw new SluiceError(
      'CONFIG_INVALID',
      `'${path}' does not begin as the format would have it, with ${shown}; what is appended would be read wrongly: ${cure}.`,
      { details: { path } },
    );
  }
}

// Larger numbers are younger and sort as text: no file is ever renamed twice, and no clock is asked.
function nameOf(path: string, number: number): string {
  return `${path}.${String(number).padStart(6, '0')}`;
}

/** What cannot be deleted is in nobody's way: it is told, and tried again with the next rotation. */
async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isAbsent(error)) report({ type: 'stage.failed', stage: 'file rotation', reason: fileError(error, path) });
  }
}

/** Those of other programs may be larger than a number can be counted on from. */
async function rotatedNumbers(path: string): Promise<number[]> {
  const prefix = `${basename(path)}.`;
  const names = await readdir(dirname(path));
  return names
    .filter((name) => name.startsWith(prefix) && /^\d{6,15}$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .sort((a, b) => a - b);
}

/** A new name is on disk only after its folder is. Systems that cannot open a folder keep names by themselves. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
