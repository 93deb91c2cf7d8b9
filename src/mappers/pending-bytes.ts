const EMPTY = new Uint8Array(0);

/**
 * The beginning of a record whose end has not come yet. It takes up to `capacity` bytes and only counts the ones above,
 * so that no input makes it grow further.
 *
 * @internal
 */
export class PendingBytes {
  private readonly capacity: number;
  private buffer = EMPTY;
  private used = 0;
  /** How many bytes came in all, those that were not kept included. */
  length = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  append(chunk: Uint8Array, from: number, to: number): void {
    this.length += to - from;
    const end = Math.min(to, from + this.capacity - this.used);
    const needed = this.used + end - from;
    if (needed > this.buffer.length) {
      // Doubling keeps a record that comes byte by byte at linear cost.
      const wider = new Uint8Array(Math.min(this.capacity, Math.max(needed, this.buffer.length * 2, 256)));
      wider.set(this.buffer.subarray(0, this.used));
      this.buffer = wider;
    }
    this.buffer.set(chunk.subarray(from, end), this.used);
    this.used = needed;
  }

  /** The bytes that were kept, which from now on belong to the caller. */
  take(): Uint8Array {
    const taken = this.buffer.subarray(0, this.used);
    this.buffer = EMPTY;
    this.used = 0;
    this.length = 0;
    return taken;
  }
}
