import type { KafkaClient, KafkaPartitionName } from '../links/kafka-driver.js';
import { configInvalid, having, integer } from '../connection/options.js';
import type { KafkaPlace } from './kafka-partition.js';

/**
 * Where a group begins in a topic that it has committed nothing of: at the first message that is kept, behind the last one,
 * at the first one of a time, or at offsets by topic and partition. It is found once for the group.
 *
 * @see KafkaSourceOptions
 */
export type KafkaFrom =
  | 'earliest'
  | 'latest'
  | { readonly timeMs: number }
  | { readonly offsets: Readonly<Record<string, Readonly<Record<number, number>>>> };

/**
 * What is wrong with a place to begin at, beside its form: nobody would see that it is passed over.
 *
 * @internal
 */
export function startFault(from: KafkaFrom, topics: readonly string[]): string | undefined {
  if (typeof from === 'string') return undefined;
  const whole = integer(0);
  if ('timeMs' in from) return whole(from.timeMs) && `'from.timeMs': ${whole(from.timeMs)}`;
  const wrong = having()(from.offsets);
  if (wrong !== undefined) return `'from.offsets': ${wrong}`;
  for (const [topic, places] of Object.entries(from.offsets)) {
    if (!topics.includes(topic)) return `'from.offsets': '${topic}' is none of the topics`;
    const isGood =
      having()(places) === undefined &&
      Object.entries(places).every(([id, offset]) => whole(Number(id)) === undefined && whole(offset) === undefined);
    if (!isGood) return `'from.offsets' of '${topic}': expected whole numbers from 0, as { partition: offset }`;
  }
  return undefined;
}

/**
 * Finds where to begin in the partitions that a member is given.
 *
 * @internal
 */
export class KafkaStart {
  private readonly group: string;
  private readonly from: KafkaFrom;
  /** These are read from their beginning: what is in them has been read before. */
  private readonly retryTopics: ReadonlySet<string>;
  /** Begins there although the group has been further; undefined for not at all. */
  private readonly replayed: Set<string> | undefined;
  /** How many partitions topics had when the source began. */
  private readonly counts = new Map<string, number>();

  constructor(group: string, from: KafkaFrom, replay: boolean, retryTopics: ReadonlySet<string>) {
    this.group = group;
    this.from = from;
    this.retryTopics = retryTopics;
    this.replayed = replay ? new Set() : undefined;
  }

  /**
   * The topic has so many partitions now.
   *
   * @throws SluiceError `CONFIG_INVALID` where it was to be begun in one that it has not
   */
  met(topic: string, count: number): void {
    if (this.counts.has(topic)) return;
    const missing = Object.keys(this.given(topic)).find((id) => Number(id) >= count);
    if (missing !== undefined)
      throw configInvalid('kafkaSource', [
        `'from.offsets': '${topic}' has no partition ${missing}, only 0 to ${count - 1}`,
      ]);
    this.counts.set(topic, count);
  }

  async placesOf(client: KafkaClient, partitions: readonly KafkaPartitionName[]): Promise<KafkaPlace[]> {
    const topics = new Map<string, number[]>();
    for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
    const places = [...topics].map(async ([topic, ids]) => this.placesIn(client, topic, ids));
    return (await Promise.all(places)).flat();
  }

  /** The group has a position there now: what comes later goes on from it. */
  committed({ topic, partition }: KafkaPartitionName): void {
    this.replayed?.add(`${topic}/${partition}`);
  }

  private given(topic: string): Readonly<Record<number, number>> {
    const { from } = this;
    return typeof from === 'object' && 'offsets' in from ? (from.offsets[topic] ?? {}) : {};
  }

  private async placesIn(client: KafkaClient, topic: string, ids: readonly number[]): Promise<KafkaPlace[]> {
    const isRetry = this.retryTopics.has(topic);
    const from = isRetry ? 'earliest' : this.from;
    const committed = await client.committed(this.group, topic);
    const goesOn = (partition: number): boolean =>
      committed.has(partition) && (isRetry || this.replayed?.has(`${topic}/${partition}`) !== false);
    const starts = ids.every(goesOn) ? new Map<number, number>() : await startsOf(client, topic, from);
    return ids.map((partition) => {
      const known = committed.get(partition);
      if (known !== undefined && goesOn(partition)) return { topic, partition, offset: known, committed: known };
      // All of one that was added since has come behind the beginning.
      const isNew = partition >= (this.counts.get(topic) ?? Infinity);
      const offset = (isNew && from === 'latest' ? undefined : starts.get(partition)) ?? 0;
      // Said once it is read, where whoever looks for it anew finds no place behind it.
      return { topic, partition, offset, committed: from === 'earliest' ? (known ?? offset) : undefined };
    });
  }
}

async function startsOf(client: KafkaClient, topic: string, from: KafkaFrom): Promise<ReadonlyMap<number, number>> {
  if (typeof from === 'string') return client.offsets(topic, from);
  if ('timeMs' in from) return client.offsets(topic, from.timeMs);
  const given = Object.entries(from.offsets[topic] ?? {}).map(([id, offset]) => [Number(id), offset] as const);
  return new Map([...(await client.offsets(topic, 'earliest')), ...given]);
}
