import { Buffer } from 'node:buffer';
import type { KafkaPartitionName } from './kafka-driver.js';

/** What members say to one another comes through the broker as it is: lengths before texts, big-endian. */
const VERSION = 0;

/** A member of a group, as its leader knows it. @internal */
export interface KafkaSubscriber {
  readonly memberId: string;
  readonly topics: readonly string[];
}

/**
 * Shares partitions out: one after the other to each member in turn, leaving out those that do not read the topic. Sorted,
 * so that whoever leads the group comes to the same.
 *
 * Source: Apache Kafka 4.1, `RoundRobinAssignor`.
 *
 * @param partitions how many each topic has
 * @internal
 */
export function shareOut(
  subscribers: readonly KafkaSubscriber[],
  partitions: ReadonlyMap<string, number>,
): Map<string, KafkaPartitionName[]> {
  const members = subscribers.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const shares = new Map(members.map(({ memberId }) => [memberId, [] as KafkaPartitionName[]]));
  let turn = 0;
  for (const [topic, count] of [...partitions].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (!members.some(({ topics }) => topics.includes(topic))) continue;
    for (let partition = 0; partition < count; turn += 1) {
      const member = members[turn % members.length] as KafkaSubscriber;
      if (!member.topics.includes(topic)) continue;
      shares.get(member.memberId)?.push({ topic, partition });
      partition += 1;
    }
  }
  return shares;
}

/**
 * The topics of a member, for the leader.
 *
 * Source: Apache Kafka 4.1, `ConsumerProtocolSubscription.json`.
 *
 * @internal
 */
export function subscriptionBytes(topics: readonly string[]): Buffer {
  return Buffer.concat([int16(VERSION), int32(topics.length), ...topics.map(text), int32(0)]);
}

/** What a later version has behind the topics is not asked for. @internal */
export function topicsOf(subscription: Uint8Array): string[] {
  const bytes = reading(subscription);
  bytes.int16();
  return Array.from({ length: bytes.int32() }, () => bytes.text());
}

/**
 * The partitions of a member, from the leader.
 *
 * Source: Apache Kafka 4.1, `ConsumerProtocolAssignment.json`.
 *
 * @internal
 */
export function assignmentBytes(partitions: readonly KafkaPartitionName[]): Buffer {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  const parts = [...topics].flatMap(([topic, ids]) => [text(topic), int32(ids.length), ...ids.map(int32)]);
  return Buffer.concat([int16(VERSION), int32(topics.size), ...parts, int32(0)]);
}

/** No bytes are no partitions. @internal */
export function partitionsOf(assignment: Uint8Array): KafkaPartitionName[] {
  if (assignment.byteLength === 0) return [];
  const bytes = reading(assignment);
  bytes.int16();
  return Array.from({ length: bytes.int32() }, () => {
    const topic = bytes.text();
    return Array.from({ length: bytes.int32() }, () => ({ topic, partition: bytes.int32() }));
  }).flat();
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.byteLength), bytes]);
}

interface Reading {
  int16(): number;
  int32(): number;
  text(): string;
}

function reading(given: Uint8Array): Reading {
  const bytes = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
  let at = 0;
  const int16 = (): number => bytes.readInt16BE((at += 2) - 2);
  return {
    int16,
    int32: () => bytes.readInt32BE((at += 4) - 4),
    text() {
      const length = int16();
      return bytes.toString('utf8', at, (at += length));
    },
  };
}
