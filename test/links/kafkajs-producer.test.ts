import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import type { Message } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import type { KafkaBatch, KafkaOutgoing } from '../../src/links/kafka-driver.js';
import { topicMessagesOf } from '../../src/links/kafkajs-producer.js';

type Group = (given: {
  readonly topic: string;
  readonly partitionMetadata: readonly unknown[];
  readonly messages: readonly Message[];
  readonly partitioner: (of: { readonly message: Message }) => number;
}) => Readonly<Record<string, readonly Message[]>>;

/** What the client itself does with the messages of a topic. */
const group = createRequire(import.meta.url)('kafkajs/src/producer/groupMessagesPerPartition.js') as Group;
const grouped = (topic: string, messages: readonly Message[]): ReturnType<Group> =>
  group({ topic, messages, partitionMetadata: [{}], partitioner: ({ message }) => message.partition as number });

const record = (text: string): KafkaOutgoing => ({ key: null, value: Buffer.from(text), headers: {}, timeMs: 7 });
const batch = (topic: string, partition: number, texts: string): KafkaBatch => ({
  topic,
  partition,
  records: texts.split(' ').map(record),
});

describe('a producer over kafkajs', () => {
  it('gives the client lists that come apart by partition as those that it takes apart itself', () => {
    const topics = topicMessagesOf([
      batch('a', 2, 'x y z'),
      batch('b', 0, 'u'),
      batch('a', 0, 'v w'),
      batch('a', 2, 't'),
    ]);
    expect(topics.map(({ topic, messages }) => [topic, messages.length])).toEqual([
      ['a', 6],
      ['b', 1],
    ]);
    for (const { topic, messages } of topics) {
      const bySelf = grouped(topic, messages);
      expect(bySelf).toEqual(grouped(topic, [...messages]));
      expect(Object.values(bySelf).flat()).toHaveLength(messages.length);
      // The client asks again for each try.
      expect(grouped(topic, messages)).toEqual(bySelf);
    }
  });

  it('tells partition, bytes and time of each message', () => {
    const [topic] = topicMessagesOf([batch('a', 3, 'x')]);
    expect([...(topic?.messages ?? [])]).toEqual([
      { partition: 3, key: null, value: Buffer.from('x'), headers: {}, timestamp: '7' },
    ]);
  });
});
