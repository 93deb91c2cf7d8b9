import type { KafkaOffset } from './kafka-driver.js';
import { COORDINATES, type PlatformaticCluster } from './platformatic-cluster.js';

/** What the protocol has in place of a time. @internal */
export const EARLIEST = -2;
/** @internal */
export const LATEST = -1;

const NO_REPLICA = -1;
/** Also what belongs to transactions that are not over. */
const UNCOMMITTED = 0;
/** A reader gets no further than to where the first of them began. */
const COMMITTED = 1;

/**
 * Offsets by partition: of the first message at or after a time, `EARLIEST` or `LATEST`; where there is none, of the first that
 * cannot be read yet.
 *
 * Source: Apache Kafka protocol guide, `ListOffsets`.
 *
 * @internal
 */
export async function offsetsAt(
  cluster: PlatformaticCluster,
  topic: string,
  partitions: readonly number[],
  timeMs: number,
): Promise<Map<number, number>> {
  const { api } = cluster.client.listOffsetsV7;
  // Asked first: what comes in between may be at or after the time, and is not to be left out.
  const ends = timeMs === EARLIEST || timeMs === LATEST ? [] : await offsetsAt(cluster, topic, partitions, LATEST);
  const byLeader = new Map<number, number[]>();
  for (const partition of partitions) {
    const leader = await cluster.leaderOf({ topic, partition });
    byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition]);
  }
  const found = new Map<number, number>(ends);
  const isolation = timeMs === LATEST ? COMMITTED : UNCOMMITTED;
  const ask = async ([leader, ids]: readonly [number, readonly number[]]): Promise<void> => {
    const asked = ids.map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp: BigInt(timeMs) }));
    const broker = await cluster.at(leader);
    const told = await broker
      .ask((to) => api.async(to, NO_REPLICA, isolation, [{ name: topic, partitions: asked }]))
      .catch((error: unknown) => {
        // It may be somebody else by now.
        cluster.forget(topic);
        throw error;
      });
    for (const { partitionIndex, offset } of told.topics[0]?.partitions ?? [])
      if (offset >= 0n) found.set(partitionIndex, Number(offset));
  };
  await Promise.all([...byLeader].map(ask));
  return found;
}

/**
 * What a group has committed of a topic, by partition; nothing for a partition without.
 *
 * Source: Apache Kafka protocol guide, `OffsetFetch`; KIP-447 for waiting for transactions.
 *
 * @internal
 */
export async function committedIn(
  cluster: PlatformaticCluster,
  group: string,
  topic: string,
  partitions: readonly number[],
): Promise<Map<number, number>> {
  const { api } = cluster.client.offsetFetchV8;
  // This version has no epoch of a member in it, although its type asks for one.
  const asked = [{ groupId: group, memberEpoch: -1, topics: [{ name: topic, partitionIndexes: [...partitions] }] }];
  // A transaction that is only just ending decides first.
  const told = await cluster.coordinated(COORDINATES.group, group, (broker) =>
    broker.ask((to) => api.async(to, asked, true)),
  );
  const known = told.groups[0]?.topics[0]?.partitions ?? [];
  return new Map(
    known
      .filter(({ committedOffset }) => committedOffset >= 0n)
      .map(({ partitionIndex, committedOffset }) => [partitionIndex, Number(committedOffset)]),
  );
}

/** Positions as requests have them: by topic. @internal */
export function committedTopics(offsets: readonly KafkaOffset[]): CommittedTopic[] {
  const topics = new Map<string, CommittedTopic>();
  for (const { topic, partition, offset } of offsets) {
    let known = topics.get(topic);
    if (known === undefined) topics.set(topic, (known = { name: topic, partitions: [] }));
    known.partitions.push({
      partitionIndex: partition,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: -1,
      committedMetadata: '',
    });
  }
  return [...topics.values()];
}

/** @internal */
export interface CommittedTopic {
  readonly name: string;
  readonly partitions: {
    readonly partitionIndex: number;
    readonly committedOffset: bigint;
    readonly committedLeaderEpoch: number;
    readonly committedMetadata: string;
  }[];
}
