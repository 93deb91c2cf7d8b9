import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { openFile } from '../links/file.js';
import type { FileIdentity, FileOffset } from './file-offsets.js';

/** How many of a file's first bytes tell it from another one. */
const HEAD_BYTES = 1024;

/**
 * A file being read, known by its number and its first bytes rather than by its name, which a rotation changes.
 *
 * @internal
 */
export class TrackedFile {
  readonly path: string;
  readonly handle: FileHandle;
  readonly inode: number;
  /** Its size when it was opened. */
  readonly openedBytes: number;
  private head: Buffer;
  private known: FileIdentity | undefined;

  private constructor(path: string, handle: FileHandle, inode: number, size: number, head: Buffer) {
    this.path = path;
    this.handle = handle;
    this.inode = inode;
    this.openedBytes = size;
    this.head = head;
  }

  static async open(path: string, root: string | undefined): Promise<TrackedFile> {
    const { handle, stats } = await openFile(path, { flags: constants.O_RDONLY, root });
    try {
      return new TrackedFile(path, handle, stats.ino, stats.size, await firstBytes(handle, HEAD_BYTES));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Grows with the file until it has enough to tell it from others. */
  get identity(): FileIdentity {
    this.known ??= { inode: this.inode, headBytes: this.head.length, headHash: hashOf(this.head) };
    return this.known;
  }

  /** Notes what was read at `offset`, as far as it belongs to the head. */
  saw(chunk: Uint8Array, offset: number): void {
    const have = this.head.length;
    if (have >= HEAD_BYTES || offset > have || offset + chunk.length <= have) return;
    this.head = Buffer.concat([this.head, chunk.subarray(have - offset, HEAD_BYTES - offset)]);
    this.known = undefined;
  }

  /** True when this is the file that the offset was saved for, and still long enough. */
  fits(saved: FileOffset): boolean {
    return this.inode === saved.file.inode && this.openedBytes >= saved.offset && this.startsLike(saved.file);
  }

  /** True when its first bytes are still the ones that were seen. */
  async isUnchanged(): Promise<boolean> {
    return this.head.equals(await firstBytes(this.handle, this.head.length));
  }

  /** The file's first `count` bytes, or all it has. */
  first(count: number): Promise<Buffer> {
    return firstBytes(this.handle, count);
  }

  /** The same file after it was cut to nothing and begun anew: what it starts with is not known yet. */
  restarted(): TrackedFile {
    return new TrackedFile(this.path, this.handle, this.inode, 0, Buffer.alloc(0));
  }

  private startsLike({ headBytes, headHash }: FileIdentity): boolean {
    return this.head.length >= headBytes && hashOf(this.head.subarray(0, headBytes)) === headHash;
  }
}

async function firstBytes(handle: FileHandle, count: number): Promise<Buffer> {
  const bytes = Buffer.alloc(count);
  let filled = 0;
  while (filled < count) {
    const { bytesRead } = await handle.read(bytes, filled, count - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
