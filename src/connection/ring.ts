/**
 * A queue whose ends cost the same however long it is. An array's `shift` moves every element once it holds some tens of
 * thousands, which turns a full buffer into a slow one.
 *
 * @internal
 */
export class Ring<T> {
  private slots: (T | undefined)[] = new Array<T | undefined>(16);
  private head = 0;
  length = 0;

  push(value: T): void {
    if (this.length === this.slots.length) this.grow();
    this.slots[(this.head + this.length) & (this.slots.length - 1)] = value;
    this.length += 1;
  }

  unshift(value: T): void {
    if (this.length === this.slots.length) this.grow();
    this.head = (this.head - 1) & (this.slots.length - 1);
    this.slots[this.head] = value;
    this.length += 1;
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const value = this.slots[this.head];
    this.slots[this.head] = undefined;
    this.head = (this.head + 1) & (this.slots.length - 1);
    this.length -= 1;
    return value;
  }

  pop(): T | undefined {
    if (this.length === 0) return undefined;
    this.length -= 1;
    const at = (this.head + this.length) & (this.slots.length - 1);
    const value = this.slots[at];
    this.slots[at] = undefined;
    return value;
  }

  peek(): T | undefined {
    return this.length === 0 ? undefined : this.slots[this.head];
  }

  /** What it holds, in order. */
  toArray(): T[] {
    return Array.from({ length: this.length }, (_, at) => this.slots[(this.head + at) & (this.slots.length - 1)] as T);
  }

  /** Empties it; what it held comes back in order. */
  clear(): T[] {
    const all: T[] = [];
    while (this.length > 0) all.push(this.shift() as T);
    return all;
  }

  private grow(): void {
    const { slots, head, length } = this;
    const larger = new Array<T | undefined>(slots.length * 2);
    for (let at = 0; at < length; at += 1) larger[at] = slots[(head + at) & (slots.length - 1)];
    this.slots = larger;
    this.head = 0;
  }
}
