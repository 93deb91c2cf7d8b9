import type { Delivery } from '../connection/define-source.js';
import { NO_HEADERS, type MessageHeaders } from '../message/headers.js';
import type { ReplyPort } from '../message/message.js';
import type { MemoryConsumer } from './memory-consumer.js';
import type { MemoryLane } from './memory-lane.js';

/** Where a message of the in-memory broker stands: what `message.meta` is for {@link memorySource}. */
export interface MemoryMeta {
  /** From 0; always 0 for a topic without partitions. */
  readonly partition: number;
  /** From 0, growing by one with each message of the partition. */
  readonly offset: number;
}

/** What can be given to {@link MemoryBroker.publish}. The payload is handed over by reference, never copied. */
export interface MemoryPublish {
  readonly topic: string;
  readonly payload: unknown;
  readonly headers?: MessageHeaders;
  /** Decides the partition; messages of one key keep their order. Without one, partitions take turns. */
  readonly key?: string | undefined;
  /** Default: one made of the topic's position, the same on every redelivery. */
  readonly id?: string | undefined;
  /** Milliseconds since the epoch. Default: now. */
  readonly timeMs?: number | undefined;
  /** Where an answer goes: the delivered message carries it as `reply`. */
  readonly reply?: ReplyPort<unknown> | undefined;
}

/**
 * A message as one queue keeps it, and all that is made for it on its way through: it is its own place in the queue, its
 * own entry among what a consumer holds, and what is handed to the source.
 *
 * @internal
 */
export class MemoryRecord implements Delivery<unknown> {
  readonly payload: unknown;
  readonly headers: MessageHeaders;
  readonly key: string | undefined;
  readonly reply: ReplyPort<unknown> | undefined;
  readonly timeMs: number;
  readonly lane: MemoryLane;
  readonly offset: number;
  /** The producer's. */
  private readonly ownId: string | undefined;
  attempt = 1;
  /** Who was given it and has not settled it. */
  holder: MemoryConsumer | undefined = undefined;
  /** Its index among what the holder holds. */
  slot = 0;

  constructor(message: Omit<MemoryPublish, 'topic'>, timeMs: number, lane: MemoryLane, offset: number) {
    this.payload = message.payload;
    this.headers = message.headers ?? NO_HEADERS;
    this.key = message.key;
    this.ownId = message.id;
    this.reply = message.reply;
    this.timeMs = timeMs;
    this.lane = lane;
    this.offset = offset;
  }

  /** Made of the position when the producer gave none: the same on every delivery, to every group. */
  get id(): string {
    return this.ownId ?? `${this.lane.idPrefix}${this.offset}`;
  }

  get topic(): string {
    return this.lane.topic;
  }

  get bytes(): number {
    return sizeOf(this.payload);
  }

  get position(): this {
    return this;
  }

  get meta(): MemoryMeta {
    return { partition: this.lane.partition, offset: this.offset };
  }
}

/** The size of a payload where it can be told: bytes of binary, characters of text; 0 for everything else. @internal */
export function sizeOf(payload: unknown): number {
  if (typeof payload === 'string') return payload.length;
  if (typeof payload !== 'object' || payload === null) return 0;
  return ArrayBuffer.isView(payload) || payload instanceof ArrayBuffer ? payload.byteLength : 0;
}

/** Which of `count` partitions a key belongs to: FNV-1a over its characters. @internal */
export function partitionOf(key: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  // The low bits of FNV-1a are its worst: fold the high ones in.
  return ((hash ^ (hash >>> 16)) >>> 0) % count;
}
