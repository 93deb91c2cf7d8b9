import { Buffer } from 'node:buffer';
import type { Cancel, Clock } from '../clock.js';
import { SluiceError } from '../errors.js';
import { fileError } from '../links/file.js';
import type { SplitRecord, Splitter } from '../mappers/codec.js';
import { report } from '../observability/observe.js';
import type { FileFormat } from './file-record.js';
import { inodeOf, nextName, openNext } from './file-rotation.js';
import type { TrackedFile } from './file-tracked.js';
import { watchFile } from './file-watch.js';

/** What a walk has to know of its source. */
export interface WalkPlan<T> {
  readonly path: string;
  readonly root: string | undefined;
  readonly topic: string;
  readonly format: FileFormat<T>;
  readonly follow: boolean;
  readonly pollMs: number;
  readonly chunkBytes: number;
}

/** Where reading begins. */
export interface FileStart {
  readonly file: TrackedFile;
  readonly offset: number;
  readonly line: number;
}

/** Who is told how a walk goes. */
export interface WalkHost {
  readonly clock: Clock;
  /** There may be records. */
  wake(): void;
  /** There are no more, and none will come. */
  end(): void;
  lost(error: unknown): void;
  /** From here on the records are those of another file, or of this one written anew. */
  began(file: TrackedFile): void;
}

const LF = 0x0a;

/**
 * The records of a file in order, and when it is followed of the files that take its place. It holds one chunk: the next
 * one is read only when it is asked for more.
 *
 * @internal
 */
export class FileWalk<T> {
  /** Up to where the file was read into chunks. */
  at: number;
  file: TrackedFile;
  private readonly plan: WalkPlan<T>;
  private readonly host: WalkHost;
  private readonly stopWatching: Cancel | undefined;
  private splitter: Splitter<T>;
  private records: Iterator<SplitRecord<T>> | undefined;
  /** Was looked at and not given yet. */
  private ahead: SplitRecord<T> | undefined;
  /** The record given last, for the line after it; none yet in this file. */
  private last: SplitRecord<T> | undefined;
  private start: FileStart;
  /** A chunk that was hardly filled and can be used again. */
  private spare: Buffer | undefined;
  /** Nothing more comes from this file: its last record was asked for. */
  private ending = false;
  private work: Promise<void> | undefined;
  /** At the end of a file that may grow. */
  private resting = false;
  /** Since when another file has this one's name and this one does not grow. */
  private rotatedMs: number | undefined;
  private isDeleted = false;
  private stopped = false;
  private cancelPoll: Cancel | undefined;

  constructor(plan: WalkPlan<T>, host: WalkHost, start: FileStart, splitter: Splitter<T>) {
    this.plan = plan;
    this.host = host;
    this.start = start;
    this.file = start.file;
    this.at = start.offset;
    this.splitter = splitter;
    this.stopWatching = plan.follow ? watchFile(plan.path, () => this.rouse()) : undefined;
  }

  /** The next record at hand. Without one, {@link more} gets some. */
  next(): SplitRecord<T> | undefined {
    const next = this.peek();
    if (next === undefined) return undefined;
    this.ahead = undefined;
    this.last = next;
    return next;
  }

  /** The same record, and it stays the next one. */
  peek(): SplitRecord<T> | undefined {
    if (this.ahead === undefined) {
      const next = this.records?.next();
      if (next !== undefined && next.done !== true) this.ahead = next.value;
    }
    return this.ahead;
  }

  /** Reads on; wakes the host when there are records. */
  more(): void {
    if (this.work !== undefined || this.resting || this.stopped) return;
    if (this.ending && !this.plan.follow) {
      this.host.end();
      return;
    }
    this.work = (this.ending ? this.goOn() : this.read()).then(
      () => {
        this.work = undefined;
        if (!this.resting) this.host.wake();
      },
      (error: unknown) => {
        this.work = undefined;
        this.host.lost(fileError(error, this.file.path));
      },
    );
  }

  /** Where the record begins that would be given next. */
  get place(): { readonly offset: number; readonly line: number } {
    const { last } = this;
    if (last === undefined) return this.start;
    return { offset: last.nextOffset, line: last.line + 1 + breaksIn(last.bytes) };
  }

  stop(): void {
    this.stopped = true;
    this.stopWatching?.();
    this.cancelPoll?.();
  }

  async close(): Promise<void> {
    this.stop();
    await this.work;
    await this.file.handle.close();
  }

  private async read(): Promise<void> {
    const { file, plan } = this;
    const chunk = this.spare ?? Buffer.allocUnsafeSlow(plan.chunkBytes);
    this.spare = undefined;
    const { bytesRead } = await file.handle.read(chunk, 0, chunk.length, this.at);
    if (bytesRead === 0) {
      this.spare = chunk;
      await (plan.follow ? this.atLiveEnd() : this.atEnd());
      return;
    }
    // Cut and written anew while this rested, or while nobody took what it had read: what stands at the old offset is not
    // what came next. Asked after the read, so that it cannot happen in between.
    if (plan.follow && !(await file.isUnchanged())) {
      this.spare = chunk;
      this.restart();
      return;
    }
    // Payloads are views of it, and a Buffer's own methods would surprise who expects a Uint8Array.
    let bytes = new Uint8Array(chunk.buffer, 0, bytesRead);
    if (bytesRead * 4 <= chunk.length) {
      bytes = bytes.slice();
      this.spare = chunk;
    }
    file.saw(bytes, this.at);
    this.at += bytesRead;
    this.rotatedMs = undefined;
    this.records = this.splitter.push(bytes)[Symbol.iterator]();
  }

  private async atEnd(): Promise<void> {
    const { size } = await this.file.handle.stat();
    const { path, openedBytes } = this.file;
    // Files that the system makes up have no size at all, and none when they were opened.
    if (size < this.at && openedBytes > size) {
      const text = `'${path}' was cut to ${size} bytes while it was read at ${this.at}. Read it again from the start.`;
      throw new SluiceError('FILE_TRUNCATED', text, { details: { path, size, offset: this.at } });
    }
    if (size <= this.at) this.finishFile();
  }

  private async atLiveEnd(): Promise<void> {
    const { file, plan } = this;
    const { size } = await file.handle.stat();
    if (size > this.at) return;
    if (size < this.at || !(await file.isUnchanged())) {
      this.restart();
      return;
    }
    const inode = await inodeOf(plan.path);
    if (inode === undefined) {
      if (!this.isDeleted) this.tell('deleted');
      this.isDeleted = true;
    } else if (inode !== file.inode) {
      const now = this.host.clock.elapsed();
      this.rotatedMs ??= now;
      // Who writes may still be writing to the old file, unless an even younger one was begun since.
      const isPast = (await nextName(plan.path, file.inode)) !== plan.path;
      if (isPast || now - this.rotatedMs >= plan.pollMs) {
        this.finishFile();
        return;
      }
    }
    this.rest();
  }

  /** The last record of this file needs no line end any more. */
  private finishFile(): void {
    this.ending = true;
    this.records = this.splitter.end()[Symbol.iterator]();
  }

  /** Opens the file that took this one's place. */
  private async goOn(): Promise<void> {
    const { plan, file } = this;
    let next: TrackedFile;
    try {
      next = await openNext(plan.path, plan.root, file.inode);
    } catch (error) {
      const missing = fileError(error, plan.path);
      if (missing.code !== 'FILE_MISSING') throw missing;
      this.rest();
      return;
    }
    this.tell('rotated');
    await file.handle.close();
    this.begin(next);
  }

  private restart(): void {
    this.tell('truncated');
    this.begin(this.file.restarted());
  }

  private begin(file: TrackedFile): void {
    this.file = file;
    this.start = { file, offset: 0, line: 1 };
    this.last = undefined;
    this.at = 0;
    this.ending = false;
    this.rotatedMs = undefined;
    this.isDeleted = false;
    this.splitter = this.plan.format.splitter();
    this.records = undefined;
    this.host.began(file);
  }

  private rest(): void {
    if (this.stopped) return;
    this.resting = true;
    this.cancelPoll = this.host.clock.timer(this.plan.pollMs, () => this.rouse());
  }

  /** Something may have happened to the file. */
  private rouse(): void {
    if (!this.resting || this.stopped) return;
    this.resting = false;
    this.cancelPoll?.();
    this.host.wake();
  }

  private tell(cause: 'rotated' | 'truncated' | 'deleted'): void {
    report({ type: 'source.moved', connector: 'file', topic: this.plan.topic, cause, position: this.at });
  }
}

function breaksIn(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte === LF) count += 1;
  return count;
}
