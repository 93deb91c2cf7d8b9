import type { Clock } from '../clock.js';
import { Prefix } from '../connection/prefix.js';
import { Ring } from '../connection/ring.js';
import type { KafkaFetched, KafkaPartitionName, KafkaRecord } from '../links/kafka-driver.js';
import type { KafkaTransacted } from '../links/kafka-transactions.js';
import { dueMsOf, KafkaDelivery, type KafkaReading, taken } from './kafka-delivery.js';

/** Where a member begins in a partition. */
export interface KafkaPlace extends KafkaPartitionName {
  readonly offset: number;
  /** What the group has committed; undefined where it is to be told where it begins before anything is read. */
  readonly committed: number | undefined;
}

/** How a partition is read. */
export interface KafkaPartitionPlan extends KafkaReading {
  readonly clock: Clock;
  /** Topics whose messages wait until they are due. */
  readonly retryTopics: ReadonlySet<string>;
  readonly creditPerPartition: number;
  /** Largest value. */
  readonly maxBytes: number;
  /** So many messages may lie between the lowest unsettled one and the highest emitted one. */
  readonly maxGap: number;
}

/** One that comes again. */
interface Again {
  readonly delivery: KafkaDelivery;
  readonly dueMs: number;
}

/** With so little waiting more is fetched. */
const LOW_COUNT = 500;
const LOW_BYTES = 256 * 1024;

/**
 * One partition while it is this member's: what was fetched and waits, what comes again, and up to where all is settled.
 *
 * @internal
 */
export class KafkaPartition implements KafkaPartitionName {
  readonly topic: string;
  readonly partition: number;
  /** Where the next fetch begins. */
  nextOffset: number;
  /** What the group has of it, as far as this member knows; undefined where it is to be told before anything is emitted. */
  committed: number | undefined;
  /** Somebody else's by now: nothing of it counts any more. */
  isOver = false;
  /** Who tells its positions in transactions of a sink. */
  readonly transacted: KafkaTransacted | undefined;
  /** The client fetches nothing of it. */
  isPaused = false;
  /** Emitted and not settled, or not yet safe elsewhere. */
  emitted = 0;
  /** Bytes that were fetched and wait. */
  bytes = 0;
  /** Up to where the client had read when that was last looked at. */
  seenOffset: number;
  /** It is a topic of the source's own, where headers say what the messages were before. */
  readonly isRetry: boolean;
  private readonly plan: KafkaPartitionPlan;
  private readonly startOffset: number;
  private readonly prefix = new Prefix<number>();
  private readonly waiting = new Ring<KafkaRecord>();
  private readonly again = new Ring<Again>();
  private low: (() => void) | undefined;

  constructor(
    { topic, partition, offset, committed }: KafkaPlace,
    plan: KafkaPartitionPlan,
    transacted: KafkaTransacted | undefined,
  ) {
    this.transacted = transacted;
    this.topic = topic;
    this.partition = partition;
    this.nextOffset = offset;
    this.startOffset = offset;
    this.seenOffset = offset;
    this.committed = committed;
    this.plan = plan;
    this.isRetry = plan.retryTopics.has(topic);
  }

  get isLow(): boolean {
    return this.waiting.length <= LOW_COUNT && this.bytes <= LOW_BYTES;
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  /** How many messages the watermark has passed. */
  get passed(): number {
    return this.prefix.passed;
  }

  /** Where the group goes on: all before it is settled. */
  get watermark(): number {
    return this.prefix.position ?? this.startOffset;
  }

  add({ records, nextOffset }: KafkaFetched): void {
    for (const one of records) {
      const record = taken(one, this.plan.maxBytes);
      this.waiting.push(record);
      this.bytes += record.bytes;
    }
    // Behind the records there may be some that only brokers read.
    this.nextOffset = nextOffset;
  }

  /**
   * The next message: one that comes again before any new one, so that the order stays. None before the group knows where it
   * begins: who comes after a crash would look for that anew, and may find a place behind what was emitted.
   */
  next(): KafkaDelivery | undefined {
    const { plan, prefix } = this;
    if (this.committed === undefined) return undefined;
    if (this.emitted >= plan.creditPerPartition || (this.waitMs() ?? 0) > 0) return undefined;
    const again = this.again.shift();
    if (again !== undefined) return again.delivery;
    if (prefix.size >= plan.maxGap) return undefined;
    const record = this.waiting.shift();
    if (record === undefined) return undefined;
    const ticket = prefix.push(this.waiting.length === 0 ? this.nextOffset : record.offset + 1);
    const delivery = new KafkaDelivery(this, ticket, record, plan);
    this.bytes -= delivery.bytes;
    if (this.isLow) this.tellLow();
    return delivery;
  }

  /** How long until the next message is due; undefined where it is not time that it waits for. */
  waitMs(): number | undefined {
    const { clock, creditPerPartition } = this.plan;
    const again = this.again.peek();
    if (this.committed === undefined || this.emitted >= creditPerPartition) return undefined;
    if (again !== undefined) return again.dueMs - clock.elapsed();
    const head = this.isRetry ? this.waiting.peek() : undefined;
    return head === undefined ? undefined : dueMsOf(head) - clock.now();
  }

  /** True when the watermark moved. */
  settle(ticket: number): boolean {
    return this.prefix.settle(ticket);
  }

  /** Brings it again, behind those that already come again. */
  retry(delivery: KafkaDelivery, delayMs: number): void {
    this.again.push({ delivery, dueMs: this.plan.clock.elapsed() + delayMs });
  }

  /** Resolves once little of it waits, at the latest after `ms`; nothing to wait for gives undefined. */
  untilLow(ms: number): Promise<void> | undefined {
    if (this.isLow || this.isOver) return undefined;
    return new Promise((resolve) => {
      const cancel = this.plan.clock.timer(ms, () => this.tellLow());
      this.low = () => {
        cancel();
        resolve();
      };
    });
  }

  end(): void {
    this.isOver = true;
    this.waiting.clear();
    this.again.clear();
    this.bytes = 0;
    this.tellLow();
  }

  private tellLow(): void {
    const { low } = this;
    this.low = undefined;
    low?.();
  }
}
