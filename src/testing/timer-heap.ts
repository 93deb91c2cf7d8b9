import type { Cancel } from '../clock.js';

interface Entry {
  readonly atMs: number;
  readonly order: number;
  /** Cleared when it ran or was cancelled. */
  work: (() => void) | undefined;
}

/**
 * Timers by time, then by the order they were set in. Cancelling only empties the entry; it leaves when its time comes.
 *
 * @internal
 */
export class TimerHeap {
  size = 0;
  private readonly entries: Entry[] = [];
  private orders = 0;

  add(atMs: number, work: () => void): Cancel {
    const entry: Entry = { atMs, order: (this.orders += 1), work };
    this.size += 1;
    const { entries } = this;
    let at = entries.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, entries[parent] as Entry)) break;
      entries[at] = entries[parent] as Entry;
      at = parent;
    }
    entries[at] = entry;
    return () => void this.clear(entry);
  }

  /** When the next timer is due. */
  nextMs(): number | undefined {
    this.dropCancelled();
    return this.entries[0]?.atMs;
  }

  /** Takes out the next timer if it is due at `atMs`. */
  takeUntil(atMs: number): (() => void) | undefined {
    this.dropCancelled();
    const [first] = this.entries;
    if (first === undefined || first.atMs > atMs) return undefined;
    this.removeFirst();
    return this.clear(first);
  }

  private clear(entry: Entry): (() => void) | undefined {
    const { work } = entry;
    if (work !== undefined) this.size -= 1;
    entry.work = undefined;
    return work;
  }

  private dropCancelled(): void {
    while (this.entries.length > 0 && (this.entries[0] as Entry).work === undefined) this.removeFirst();
  }

  private removeFirst(): void {
    const { entries } = this;
    const last = entries.pop() as Entry;
    if (entries.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= entries.length) break;
      const right = entries[child + 1];
      if (right !== undefined && isBefore(right, entries[child] as Entry)) child += 1;
      if (!isBefore(entries[child] as Entry, last)) break;
      entries[at] = entries[child] as Entry;
      at = child;
    }
    entries[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
