import type { Cancel, Clock } from '../clock.js';
import type { MemoryConsumer } from './memory-consumer.js';
import { Heap } from './memory-heap.js';
import { MemoryLane } from './memory-lane.js';
import type { MemoryRecord } from './memory-record.js';

interface Delayed {
  readonly record: MemoryRecord;
  /** On the clock's monotonic scale. */
  readonly dueMs: number;
}

/**
 * What one consumer group still has to read of a topic, and who reads it. Without partitions every consumer takes from
 * the one lane, in turns; with partitions each lane belongs to one consumer at a time.
 *
 * @internal
 */
export class MemoryQueue {
  /** Empty for the first one as well, as long as no group has come for it. */
  group = '';
  /** False: it ends with its last consumer. */
  durable = true;
  readonly lanes: readonly MemoryLane[];
  /** True when every consumer may take from every lane. */
  readonly isShared: boolean;
  /** In the order they joined, without those that want nothing more. */
  readonly consumers: MemoryConsumer[] = [];
  /** Also those that want nothing more and still hold something. */
  readonly members: Set<MemoryConsumer> = new Set();
  /** Not given to anybody: what can be taken now and what is delayed. */
  waiting = 0;
  waitingBytes = 0;
  unsettled = 0;
  /** The next message is not for this queue: it is full and gives up the newest. */
  skipNext = false;
  /** Who took last, so that the others have their turn before it takes again. */
  lastTaker: MemoryConsumer | undefined = undefined;
  /** Every consumer was woken since one of them last found nothing: waking again would tell nobody anything new. */
  private awake = false;
  private readonly delayed = new Heap<Delayed>((a, b) => a.dueMs < b.dueMs);
  private cancelTimer: Cancel | undefined;
  private timerMs = Infinity;

  constructor(topic: string, partitions: number | undefined, idPrefix: string) {
    this.isShared = partitions === undefined;
    this.lanes = Array.from({ length: partitions ?? 1 }, (_, at) => new MemoryLane(topic, at, idPrefix));
  }

  /** A new message at the end. */
  put(record: MemoryRecord): void {
    record.lane.fresh.push(record);
    this.waiting += 1;
    this.waitingBytes += record.bytes;
    if (!this.awake) this.wake();
  }

  /** One that was delivered returns to its place, at once or after a delay. */
  putBack(record: MemoryRecord, delayMs: number, clock: Clock): void {
    this.waiting += 1;
    this.waitingBytes += record.bytes;
    if (delayMs <= 0) {
      record.lane.returned.push(record);
      this.wake();
      return;
    }
    this.delayed.push({ record, dueMs: clock.elapsed() + delayMs });
    this.arm(clock);
  }

  /** Gives up the oldest one. */
  dropOldest(): void {
    let oldest: MemoryLane | undefined;
    for (const lane of this.lanes) {
      const record = lane.peek();
      if (record !== undefined && (oldest === undefined || record.timeMs < (oldest.peek() as MemoryRecord).timeMs)) {
        oldest = lane;
      }
    }
    this.forget(oldest?.take() ?? this.delayed.pop()?.record);
  }

  /** What waits and is named goes; what is held goes when it comes back. */
  remove(unwanted: (record: MemoryRecord) => boolean): void {
    for (const lane of this.lanes) for (const record of lane.remove(unwanted)) this.forget(record);
    for (const delayed of this.delayed.clear()) {
      if (unwanted(delayed.record)) this.forget(delayed.record);
      else this.delayed.push(delayed);
    }
  }

  private forget(record: MemoryRecord | undefined): void {
    if (record === undefined) return;
    this.waiting -= 1;
    this.waitingBytes -= record.bytes;
  }

  wake(): void {
    this.awake = true;
    for (const consumer of this.consumers) consumer.wake();
  }

  /** A consumer found nothing to take. */
  foundEmpty(): void {
    this.awake = false;
  }

  join(consumer: MemoryConsumer): void {
    this.members.add(consumer);
    this.consumers.push(consumer);
    this.assign();
  }

  /** It takes nothing more. What it holds stays with it, and its lanes wait for that. */
  leave(consumer: MemoryConsumer): void {
    const at = this.consumers.indexOf(consumer);
    if (at < 0) return;
    this.consumers.splice(at, 1);
    consumer.lanes = [];
    this.assign();
  }

  private assign(): void {
    const { consumers, lanes } = this;
    const count = consumers.length;
    consumers.forEach((consumer, rank) => {
      consumer.lanes = this.isShared ? lanes : lanes.filter((lane) => lane.partition % count === rank);
    });
    this.wake();
  }

  /** Everything below it was settled. */
  committed(partition: number, nextOffset: number): number {
    const lane = this.lanes[partition];
    if (lane === undefined) return nextOffset;
    let least = lane.peek()?.offset ?? nextOffset;
    for (const { record } of this.delayed.values()) if (record.lane === lane) least = Math.min(least, record.offset);
    for (const member of this.members) least = Math.min(least, member.leastHeld(lane));
    return least;
  }

  /** Nothing of it is needed any more. */
  close(): void {
    this.cancelTimer?.();
    this.timerMs = Infinity;
  }

  private arm(clock: Clock): void {
    const next = this.delayed.peek();
    if (next === undefined || next.dueMs >= this.timerMs) return;
    this.cancelTimer?.();
    this.timerMs = next.dueMs;
    this.cancelTimer = clock.timer(Math.max(0, next.dueMs - clock.elapsed()), () => this.release(clock));
  }

  private release(clock: Clock): void {
    this.timerMs = Infinity;
    const now = clock.elapsed();
    for (let next = this.delayed.peek(); next !== undefined && next.dueMs <= now; next = this.delayed.peek()) {
      this.delayed.pop();
      next.record.lane.returned.push(next.record);
    }
    this.wake();
    this.arm(clock);
  }
}
