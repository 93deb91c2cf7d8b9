import { isLater } from '../connection/parking.js';
import type { Message } from '../message/message.js';
import type { Outcome } from '../message/settlement.js';
import type { MemoryConnection } from './memory-connection.js';
import type { MemoryLane } from './memory-lane.js';
import type { MemoryQueue } from './memory-queue.js';
import type { MemoryRecord } from './memory-record.js';
import type { MemoryTopic } from './memory-topic.js';

/** Who is told that there is something to take. Never called while anything is delivered or settled: it only schedules. */
export interface MemoryWakeable {
  /** How many more it wants. */
  readonly free: number;
  wake(): void;
}

/**
 * One reader of a group, over one connection: takes messages, holds them until they are settled, and gives back what is
 * left when it ends.
 *
 * @internal
 */
export class MemoryConsumer {
  readonly queue: MemoryQueue;
  /** What it may take from. Set by its queue. */
  lanes: readonly MemoryLane[] = [];
  private readonly topic: MemoryTopic;
  private readonly connection: MemoryConnection;
  private readonly reader: MemoryWakeable;
  /** The lane whose turn it is. */
  private at = 0;
  /** What it holds, in no particular order: each record knows its index, so that letting one go costs the same for all. */
  private readonly held: MemoryRecord[] = [];
  /** Settlements under way: for the broker these messages are still out. */
  private settling = 0;
  private isHeldOff = false;
  private ended = false;

  constructor(connection: MemoryConnection, topic: MemoryTopic, queue: MemoryQueue, reader: MemoryWakeable) {
    this.connection = connection;
    this.topic = topic;
    this.queue = queue;
    this.reader = reader;
    queue.join(this);
  }

  wake(): void {
    this.reader.wake();
  }

  /** The next message, now held by this consumer; `undefined` when there is none for it. {@link wake} tells when to look again. */
  take(): MemoryRecord | undefined {
    const { queue, lanes } = this;
    if (!this.connection.delivers) return undefined;
    // A window counts at both ends: what the broker has not heard of could come again, and there is never more than it.
    this.isHeldOff = this.settling > 0 && this.settling >= this.reader.free;
    if (this.isHeldOff) return undefined;
    if (queue.isShared && queue.lastTaker === this && queue.consumers.length > 1) {
      // The others were woken as well: behind them in line, each has its turn.
      queue.lastTaker = undefined;
      this.reader.wake();
      return undefined;
    }
    for (let left = lanes.length; left > 0; left -= 1) {
      if (this.at >= lanes.length) this.at = 0;
      const lane = lanes[this.at] as MemoryLane;
      this.at += 1;
      if (lane.holder !== undefined && lane.holder !== this) continue;
      const record = lane.take();
      if (record !== undefined) {
        this.hold(record, lane);
        return record;
      }
    }
    queue.foundEmpty();
    return undefined;
  }

  private hold(record: MemoryRecord, lane: MemoryLane): void {
    const { queue, held } = this;
    queue.waiting -= 1;
    queue.waitingBytes -= record.bytes;
    queue.unsettled += 1;
    lane.unsettled += 1;
    if (!queue.isShared) lane.holder = this;
    queue.lastTaker = this;
    record.holder = this;
    record.slot = held.length;
    held.push(record);
    if (this.topic.hasWaiters) this.topic.admitLater();
  }

  /** Asks the broker whether there is nothing for it to take. */
  isIdle(): PromiseLike<boolean> {
    const isDone = ({ holder, size }: MemoryLane): boolean => size === 0 || (holder !== undefined && holder !== this);
    return this.connection.ask(() => this.lanes.every(isDone));
  }

  /** Passes a settlement on. */
  settle(record: MemoryRecord, outcome: Outcome, reason: unknown, message: Message<unknown> | undefined): void {
    const { toBroker } = this.connection;
    if (toBroker.isClear) {
      this.settled(record, outcome, reason, message);
      return;
    }
    this.settling += 1;
    toBroker.pass(() => {
      this.settling -= 1;
      this.settled(record, outcome, reason, message);
      if (this.isHeldOff) this.reader.wake();
    });
  }

  private settled(
    record: MemoryRecord,
    outcome: Outcome,
    reason: unknown,
    message: Message<unknown> | undefined,
  ): void {
    // Taken back while this was under way: it will come again, or has.
    if (record.holder !== this) return;
    this.letGo(record);
    switch (outcome) {
      case 'ack':
      case 'drop':
        return;
      case 'release':
        this.topic.putBack(this.queue, record, isLater(reason) ? reason.delayMs : 0);
        return;
      case 'requeue':
        record.attempt += 1;
        this.topic.putBack(this.queue, record, this.topic.requeueDelayMs(record.attempt - 1));
        return;
      case 'dead':
        this.topic.bury(this.queue, record, reason, message);
    }
  }

  private letGo(record: MemoryRecord): void {
    const { lane, slot } = record;
    const last = this.held.pop() as MemoryRecord;
    if (last !== record) {
      this.held[slot] = last;
      last.slot = slot;
    }
    record.holder = undefined;
    this.queue.unsettled -= 1;
    lane.unsettled -= 1;
    if (lane.holder !== undefined && lane.unsettled === 0) {
      lane.holder = undefined;
      // Its new owner waited for this.
      if (!this.lanes.includes(lane)) this.queue.wake();
    }
  }

  /** The lowest offset of a lane that it holds; Infinity for none. */
  leastHeld(lane: MemoryLane): number {
    let least = Infinity;
    for (const record of this.held) if (record.lane === lane) least = Math.min(least, record.offset);
    return least;
  }

  /** Takes nothing more; settlements still come. */
  stop(): void {
    this.connection.toBroker.pass(() => this.queue.leave(this));
  }

  /** The client's end: everything it settled before arrives first. */
  close(): void {
    this.connection.toBroker.pass(() => this.end());
  }

  /** The broker's end: what was delivered and not settled goes back, and counts as a delivery. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.connection.consumers.delete(this);
    this.queue.leave(this);
    for (const record of [...this.held]) {
      this.letGo(record);
      record.attempt += 1;
      this.topic.putBack(this.queue, record, 0);
    }
    this.queue.members.delete(this);
    this.topic.left(this.queue);
  }
}
