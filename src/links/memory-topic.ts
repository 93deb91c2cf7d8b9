import type { Clock } from '../clock.js';
import { Ring } from '../connection/ring.js';
import { trampolineOf, type Runnable } from '../connection/trampoline.js';
import { SluiceError } from '../errors.js';
import type { Message } from '../message/message.js';
import { report } from '../observability/observe.js';
import type { MemoryLane } from './memory-lane.js';
import type { MemoryTopicSettings } from './memory-options.js';
import { MemoryQueue } from './memory-queue.js';
import { MemoryRecord, partitionOf, sizeOf, type MemoryPublish } from './memory-record.js';

/**
 * Who published a message and is told what became of it, once.
 *
 * @see MemoryBroker
 */
export interface MemoryReceipt {
  /** The broker has it. */
  confirm(): void;
  /** The broker refused it. */
  fail(reason: SluiceError): void;
  /** There is no room yet: the answer will take as long as that does. */
  wait?(reason: SluiceError): void;
  /** False: the publisher is gone, a message that still waits for room is forgotten. */
  readonly isWanted?: boolean;
}

/** Where a group begins to read that is new to its topic. */
export type MemoryFrom = 'earliest' | 'latest' | number;

/** What a topic needs of its broker. @internal */
export interface MemoryTopicHost {
  readonly clock: Clock;
  /** Wall time for a message that brings none. */
  stampMs(): number;
  /** The probability with which a message is stored twice. */
  readonly duplicateShare: number;
  /** The store is full, whatever the limits say. */
  readonly isFull: boolean;
  bury(from: MemoryTopic, record: MemoryRecord, reason: unknown, message: Message<unknown>): boolean;
}

interface Waiter {
  readonly message: MemoryPublish;
  readonly bytes: number;
  readonly receipt: MemoryReceipt;
}

/** How long a message waits for its next try to be buried when its requeue would not wait. */
const BURY_AGAIN_MS = 1_000;

/**
 * One topic: the queues of its groups, the offsets of its partitions, and the publishers that wait for room.
 *
 * What is published before any group reads is kept for the first one.
 *
 * @internal
 */
export class MemoryTopic implements Runnable {
  isDue = false;
  readonly name: string;
  readonly settings: MemoryTopicSettings;
  queues: MemoryQueue[];
  dropped = 0;
  dead = 0;
  private readonly host: MemoryTopicHost;
  /** The queue of the first group, as long as nobody has come for it. */
  private unclaimed: MemoryQueue | undefined;
  /** By partition. */
  private readonly nextOffsets: number[];
  /** By partition, the last messages for groups that come later; empty when none are kept. */
  private readonly retained: readonly Ring<MemoryRecord>[];
  private readonly waiters = new Ring<Waiter>();
  /** Another broker's topic of this name has other ids. */
  private readonly idPrefix: string;
  /** The partition of the next message without a key. */
  private turn = 0;

  constructor(name: string, settings: MemoryTopicSettings, host: MemoryTopicHost) {
    this.name = name;
    this.settings = settings;
    this.host = host;
    const partitions = settings.partitions ?? 1;
    this.nextOffsets = new Array<number>(partitions).fill(0);
    this.retained =
      settings.retainMessages > 0 ? Array.from({ length: partitions }, () => new Ring<MemoryRecord>()) : [];
    this.idPrefix = Math.floor(host.clock.random() * 2 ** 48).toString(36);
    this.unclaimed = this.makeQueue();
    this.queues = [this.unclaimed];
  }

  private makeQueue(): MemoryQueue {
    return new MemoryQueue(this.name, this.settings.partitions, this.idPrefix);
  }

  get published(): number {
    return this.nextOffsets.reduce((sum, offset) => sum + offset, 0);
  }

  get hasWaiters(): boolean {
    return this.waiters.length > 0;
  }

  nextOffset(partition: number): number {
    return this.nextOffsets[partition] ?? 0;
  }

  // --- publishing ---------------------------------------------------------------------------------------------------

  /** Takes the message when there is room, or when the overflow policy makes some; false when there is none. */
  tryPut(message: MemoryPublish): boolean {
    const bytes = this.measure(message);
    const roomy = this.waiters.length === 0 && this.hasRoom(bytes);
    if (!roomy) {
      const { overflow } = this.settings;
      if (this.host.isFull || overflow === 'refuse' || overflow === 'wait') return false;
      this.makeRoom(bytes, overflow);
    }
    this.put(message, bytes);
    return true;
  }

  /** The same, and answers for it: at once, or once there is room. */
  publish(message: MemoryPublish, receipt: MemoryReceipt): void {
    if (this.tryPut(message)) receipt.confirm();
    else if (this.settings.overflow === 'wait') {
      this.waiters.push({ message, bytes: sizeOf(message.payload), receipt });
      receipt.wait?.(this.overflowed());
    } else receipt.fail(this.overflowed());
  }

  overflowed(): SluiceError {
    const { maxMessages, maxBytes } = this.settings;
    return new SluiceError(
      'OVERFLOW',
      `The topic '${this.name}' holds ${maxMessages} messages (maxMessages) or ${maxBytes} bytes (maxBytes) that nobody ` +
        'has read: read them, raise the limit, or choose another overflow policy.',
      { retriable: true, details: { topic: this.name } },
    );
  }

  /** Some room was made: waiting publishers are let in, in a turn of its own. */
  admitLater(): void {
    trampolineOf(this.host.clock).schedule(this);
  }

  run(): void {
    for (let next = this.waiters.peek(); next !== undefined; next = this.waiters.peek()) {
      const isWanted = next.receipt.isWanted ?? true;
      if (isWanted && !this.hasRoom(next.bytes)) return;
      this.waiters.shift();
      if (!isWanted) continue;
      this.put(next.message, next.bytes);
      next.receipt.confirm();
    }
  }

  private measure(message: MemoryPublish): number {
    const bytes = sizeOf(message.payload);
    const { maxPayloadBytes } = this.settings;
    if (bytes <= maxPayloadBytes) return bytes;
    throw new SluiceError(
      'PAYLOAD_TOO_LARGE',
      `A message for '${this.name}' has ${bytes} bytes; at most ${maxPayloadBytes} are allowed (maxPayloadBytes).`,
      { details: { topic: this.name, bytes, maxPayloadBytes } },
    );
  }

  private hasRoom(bytes: number): boolean {
    if (this.host.isFull) return false;
    const { queues } = this;
    for (let at = 0; at < queues.length; at += 1) if (this.isFullFor(queues[at] as MemoryQueue, bytes)) return false;
    return true;
  }

  private isFullFor(queue: MemoryQueue, bytes: number): boolean {
    const { maxMessages, maxBytes } = this.settings;
    // One that is larger than the whole limit passes when it is alone, otherwise it would wait for ever.
    return queue.waiting >= maxMessages || (queue.waiting > 0 && queue.waitingBytes + bytes > maxBytes);
  }

  /** Each queue that is full gives up by its policy; the others are not concerned. */
  private makeRoom(bytes: number, policy: 'drop-oldest' | 'drop-newest'): void {
    for (const queue of this.queues) {
      while (this.isFullFor(queue, bytes)) {
        if (policy === 'drop-oldest') queue.dropOldest();
        else queue.skipNext = true;
        this.dropped += 1;
        report({ type: 'message.overflowed', connector: 'memory', policy, count: this.dropped });
        if (queue.skipNext) break;
      }
    }
  }

  private put(message: MemoryPublish, bytes: number): void {
    const { duplicateShare, clock } = this.host;
    this.store(message);
    const doubled = duplicateShare > 0 && clock.random() < duplicateShare;
    if (doubled && this.hasRoom(bytes)) this.store(message);
  }

  private store(message: MemoryPublish): void {
    const { nextOffsets, queues } = this;
    const partition = nextOffsets.length === 1 ? 0 : this.partition(message.key);
    const offset = nextOffsets[partition] as number;
    nextOffsets[partition] = offset + 1;
    const timeMs = message.timeMs ?? this.host.stampMs();
    for (let at = 0; at < queues.length; at += 1) {
      const queue = queues[at] as MemoryQueue;
      if (queue.skipNext) queue.skipNext = false;
      else queue.put(new MemoryRecord(message, timeMs, queue.lanes[partition] as MemoryLane, offset));
    }
    if (this.retained.length > 0) {
      this.retain(new MemoryRecord(message, timeMs, queues[0]?.lanes[partition] as MemoryLane, offset));
    }
  }

  private partition(key: string | undefined): number {
    const count = this.nextOffsets.length;
    if (key !== undefined) return partitionOf(key, count);
    this.turn = (this.turn + 1) % count;
    return this.turn;
  }

  private retain(record: MemoryRecord): void {
    const log = this.retained[record.lane.partition] as Ring<MemoryRecord>;
    log.push(record);
    if (log.length > this.settings.retainMessages) log.shift();
  }

  // --- coming back --------------------------------------------------------------------------------------------------

  requeueDelayMs(failed: number): number {
    const { requeueDelayMs } = this.settings;
    return typeof requeueDelayMs === 'number' ? requeueDelayMs : requeueDelayMs.delayMs(failed, this.host.clock);
  }

  putBack(queue: MemoryQueue, record: MemoryRecord, delayMs: number): void {
    queue.putBack(record, delayMs, this.host.clock);
  }

  /** Moves it to the dead letters. While those have no room it stays here, and is delivered again later. */
  bury(queue: MemoryQueue, record: MemoryRecord, reason: unknown, message: Message<unknown> | undefined): void {
    if (message === undefined || this.host.bury(this, record, reason, message)) {
      this.dead += 1;
      return;
    }
    this.putBack(queue, record, Math.max(BURY_AGAIN_MS, this.requeueDelayMs(record.attempt)));
  }

  // --- groups -------------------------------------------------------------------------------------------------------

  groups(): string[] {
    return this.queues.filter((queue) => queue !== this.unclaimed).map((queue) => queue.group);
  }

  find(group: string): MemoryQueue | undefined {
    return this.queues.find((queue) => queue.group === group);
  }

  /** The queue of a group. One that is new begins where `from` says. */
  open(group: string, from: MemoryFrom, durable: boolean): MemoryQueue {
    const known = this.find(group);
    if (known !== undefined && known !== this.unclaimed) return known;
    const claimed = this.claim();
    const queue = claimed ?? this.replay();
    queue.group = group;
    queue.durable = durable;
    const before = queue.waiting;
    if (from !== 'earliest') queue.remove((record) => from === 'latest' || record.offset < from);
    // Nobody else will ever read what the first group does not want.
    if (claimed !== undefined) this.dropped += before - queue.waiting;
    if (this.hasWaiters) this.admitLater();
    return queue;
  }

  private claim(): MemoryQueue | undefined {
    const queue = this.unclaimed;
    this.unclaimed = undefined;
    return queue;
  }

  private replay(): MemoryQueue {
    const queue = this.makeQueue();
    for (const [partition, log] of this.retained.entries()) {
      const lane = queue.lanes[partition] as MemoryLane;
      for (const kept of log.toArray()) queue.put(new MemoryRecord(kept, kept.timeMs, lane, kept.offset));
    }
    this.queues = [...this.queues, queue];
    return queue;
  }

  /** A consumer has gone for good. */
  left(queue: MemoryQueue): void {
    if (queue.durable || queue.members.size > 0 || !this.queues.includes(queue)) return;
    queue.close();
    this.queues = this.queues.filter((other) => other !== queue);
    if (this.hasWaiters) this.admitLater();
    if (this.queues.length > 0) return;
    this.unclaimed = this.makeQueue();
    this.queues = [this.unclaimed];
  }

  // --- the store ----------------------------------------------------------------------------------------------------

  /** From now on a loss of what was not made safe spares everything that is here. */
  sync(): void {
    for (const queue of this.queues) {
      for (const lane of queue.lanes) lane.unsyncedFrom = this.nextOffset(lane.partition);
    }
  }

  loseUnsynced(): void {
    for (const queue of this.queues) queue.remove((record) => record.offset >= record.lane.unsyncedFrom);
  }
}
