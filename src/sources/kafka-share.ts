import type { KafkaFetched, KafkaOffset, KafkaPartitionName } from '../links/kafka-driver.js';
import type { KafkaDelivery } from './kafka-delivery.js';
import type { KafkaPartition } from './kafka-partition.js';

/**
 * The partitions that a member has of its group, in the order in which they have their turn, and what was fetched of all of
 * them and waits.
 *
 * @internal
 */
export class KafkaShare {
  logs: readonly KafkaPartition[] = [];
  /** Bytes that wait, in all of them. */
  bytes = 0;
  private byName = new Map<string, KafkaPartition>();
  private turn = 0;

  find(at: KafkaPartitionName): KafkaPartition | undefined {
    return this.byName.get(nameOf(at));
  }

  /** These from now on. */
  hold(logs: readonly KafkaPartition[]): void {
    this.logs = logs;
    this.byName = new Map(logs.map((log) => [nameOf(log), log]));
  }

  /** All but these are somebody else's by now; gives those. */
  keep(kept: readonly KafkaPartition[]): ReadonlySet<KafkaPartition> {
    const gone = new Set(this.logs.filter((log) => !kept.includes(log)));
    for (const log of gone) {
      this.bytes -= log.bytes;
      log.end();
    }
    this.hold(kept);
    return gone;
  }

  /** Gives the partition, where it is one of them. */
  add(fetched: KafkaFetched): KafkaPartition | undefined {
    const log = this.find(fetched);
    if (log === undefined) return undefined;
    const before = log.bytes;
    log.add(fetched);
    this.bytes += log.bytes - before;
    return log;
  }

  /** The next message, from each in turn. */
  next(): KafkaDelivery | undefined {
    const { logs } = this;
    for (let idle = 0; idle < logs.length; idle += 1) {
      const log = logs[this.turn % logs.length] as KafkaPartition;
      this.turn += 1;
      const before = log.bytes;
      const delivery = log.next();
      this.bytes += log.bytes - before;
      if (delivery !== undefined) return delivery;
    }
    return undefined;
  }

  /** Everything emitted is settled. */
  get isDrained(): boolean {
    return this.logs.every(({ emitted }) => emitted === 0);
  }

  /** How long until one has something due; Infinity where it is not time that they wait for. */
  waitMs(): number {
    let firstMs = Infinity;
    // What became due since it was looked at counts too: nobody else would look again.
    for (const log of this.logs) firstMs = Math.min(firstMs, log.waitMs() ?? Infinity);
    return firstMs;
  }

  /** Where the group begins in partitions of which it is to be told that first. */
  beginnings(): KafkaOffset[] {
    return this.logs
      .filter(({ committed }) => committed === undefined)
      .map(({ topic, partition, watermark }) => ({ topic, partition, offset: watermark }));
  }

  /** Up to where all is settled, as far as the group does not know it. */
  offsets(): KafkaOffset[] {
    return this.logs.flatMap(({ topic, partition, watermark, committed }) =>
      watermark === committed ? [] : [{ topic, partition, offset: watermark }],
    );
  }
}

function nameOf({ topic, partition }: KafkaPartitionName): string {
  return `${topic}/${partition}`;
}
