/**
 * The least of a changing set, in the order that `before` gives.
 *
 * @internal
 */
export class Heap<T> {
  private readonly before: (a: T, b: T) => boolean;
  private readonly slots: T[] = [];

  constructor(before: (a: T, b: T) => boolean) {
    this.before = before;
  }

  get size(): number {
    return this.slots.length;
  }

  peek(): T | undefined {
    return this.slots[0];
  }

  push(value: T): void {
    const { slots, before } = this;
    let at = slots.length;
    slots.push(value);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(value, slots[parent] as T)) break;
      slots[at] = slots[parent] as T;
      at = parent;
    }
    slots[at] = value;
  }

  pop(): T | undefined {
    const { slots } = this;
    const least = slots[0];
    const last = slots.pop();
    if (slots.length > 0) this.sink(last as T);
    return least;
  }

  /** Everything in it, in no particular order. */
  values(): readonly T[] {
    return this.slots;
  }

  /** Empties it and returns what it held, in no particular order. */
  clear(): T[] {
    return this.slots.splice(0);
  }

  private sink(value: T): void {
    const { slots, before } = this;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= slots.length) break;
      if (child + 1 < slots.length && before(slots[child + 1] as T, slots[child] as T)) child += 1;
      if (!before(slots[child] as T, value)) break;
      slots[at] = slots[child] as T;
      at = child;
    }
    slots[at] = value;
  }
}
