import type { SplitRecord, Splitter, SplitStart } from './codec.js';
import { PendingBytes } from './pending-bytes.js';

const NONE = new Uint8Array(0);
const MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

/**
 * What all splitters share: the pull protocol, the byte-order mark at the start of a file, and where the next record
 * begins. A format adds how a record ends.
 *
 * @internal
 */
export abstract class ChunkSplitter<T> implements Splitter<T> {
  protected readonly pending: PendingBytes;
  protected chunk: Uint8Array = NONE;
  /** Where in the chunk the bytes begin that were not looked at yet. */
  protected at = 0;
  /** File offset of the chunk's first byte. */
  protected base: number;
  /** File offset and line of the record that begins next or is pending. */
  protected offset: number;
  protected line: number;
  /** How many bytes of a byte-order mark came so far; 3 once that is decided. */
  private marked: number;
  /** True while the iterable of the last chunk may still give records. */
  private hasMore = false;
  private ended = false;
  private ahead: SplitRecord<T> | undefined;
  private readonly pulled: IterableIterator<SplitRecord<T>>;

  constructor(capacity: number, start: SplitStart) {
    this.pending = new PendingBytes(capacity);
    this.base = start.offset ?? 0;
    this.offset = this.base;
    this.line = start.line ?? 1;
    this.marked = this.base === 0 ? 0 : MARK.length;
    // No `return` method: a for…of that is left early can go on later with the same iterable.
    this.pulled = {
      next: () => this.pull(),
      [Symbol.iterator]() {
        return this;
      },
    };
  }

  push(chunk: Uint8Array): Iterable<SplitRecord<T>> {
    if (this.ended) throw new RangeError('The splitter has ended: make a new one for another file.');
    this.refuseUntaken();
    this.base += this.chunk.length;
    this.chunk = chunk;
    this.at = 0;
    if (this.marked < MARK.length) this.skipMark();
    this.hasMore = true;
    return this.pulled;
  }

  end(): Iterable<SplitRecord<T>> {
    if (this.ended) return this.pulled;
    this.refuseUntaken();
    this.base += this.chunk.length;
    this.chunk = NONE;
    this.at = 0;
    // A file that is nothing but the beginning of a mark.
    this.unmark();
    this.ended = true;
    this.hasMore = true;
    return this.pulled;
  }

  /** The next record of the chunk, `undefined` when it has no further complete one. */
  protected abstract next(): SplitRecord<T> | undefined;
  /** The record that the end of the file completes. Called until it gives `undefined`. */
  protected abstract last(): SplitRecord<T> | undefined;

  private pull(): IteratorResult<SplitRecord<T>, undefined> {
    const value = this.take();
    return value === undefined ? { done: true, value } : { done: false, value };
  }

  private take(): SplitRecord<T> | undefined {
    if (!this.hasMore) return undefined;
    const record = this.ahead ?? (this.ended ? this.last() : this.next());
    this.ahead = undefined;
    if (record === undefined) this.hasMore = false;
    return record;
  }

  private refuseUntaken(): void {
    this.ahead = this.take();
    if (this.ahead !== undefined)
      throw new RangeError('Take all records of the last chunk before the next one is pushed.');
  }

  private skipMark(): void {
    while (this.marked < MARK.length && this.at < this.chunk.length) {
      if (this.chunk[this.at] !== MARK[this.marked]) {
        this.unmark();
        return;
      }
      this.marked += 1;
      this.at += 1;
      if (this.marked === MARK.length) this.offset = MARK.length;
    }
  }

  /** It was no mark: its bytes are the first ones of the first record. */
  private unmark(): void {
    if (this.marked < MARK.length) this.pending.append(MARK, 0, this.marked);
    this.marked = MARK.length;
  }
}
