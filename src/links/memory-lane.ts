import { Ring } from '../connection/ring.js';
import type { MemoryConsumer } from './memory-consumer.js';
import { Heap } from './memory-heap.js';
import type { MemoryRecord } from './memory-record.js';

const byOffset = (a: MemoryRecord, b: MemoryRecord): boolean => a.offset < b.offset;

/**
 * One partition as one group sees it: what was never delivered, in order, and what came back. What came back was
 * delivered before, so its offsets are lower, and it goes first: each message returns to its own place.
 *
 * @internal
 */
export class MemoryLane {
  readonly topic: string;
  readonly partition: number;
  /** What the ids of its messages begin with. */
  readonly idPrefix: string;
  readonly fresh: Ring<MemoryRecord> = new Ring();
  readonly returned: Heap<MemoryRecord> = new Heap(byOffset);
  /** Given to consumers and not settled. */
  unsettled = 0;
  /** In a partitioned topic: who has unsettled ones. Nobody else may take before they are settled or back. */
  holder: MemoryConsumer | undefined = undefined;
  /** What is at or above this offset was not made safe yet. */
  unsyncedFrom = 0;

  constructor(topic: string, partition: number, idPrefix: string) {
    this.topic = topic;
    this.partition = partition;
    this.idPrefix = `${idPrefix}-${partition}-`;
  }

  take(): MemoryRecord | undefined {
    return this.returned.size > 0 ? this.returned.pop() : this.fresh.shift();
  }

  /** How many can be taken. */
  get size(): number {
    return this.returned.size + this.fresh.length;
  }

  peek(): MemoryRecord | undefined {
    return this.returned.peek() ?? this.fresh.peek();
  }

  /** Takes out everything that `unwanted` names, the rest keeps its order. */
  remove(unwanted: (record: MemoryRecord) => boolean): MemoryRecord[] {
    const removed: MemoryRecord[] = [];
    const sort = (record: MemoryRecord, keep: { push(record: MemoryRecord): void }): void => {
      if (unwanted(record)) removed.push(record);
      else keep.push(record);
    };
    for (const record of this.returned.clear()) sort(record, this.returned);
    for (const record of this.fresh.clear()) sort(record, this.fresh);
    return removed;
  }
}
