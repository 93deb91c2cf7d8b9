import { afterAll, beforeAll, describe } from 'vitest';
import { backoff } from 'sluice';
import { kafkaLink, kafkaSink, kafkaSource, type KafkaLink } from 'sluice/kafka';
import { faultProxy } from 'sluice/testing-node';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { brokerSuite } from '../brokers/broker-suite.js';
import { kafka, type KafkaBroker } from '../brokers/kafka.js';
import { compared } from '../differential/compared.js';
import { SCENARIOS } from '../differential/scenarios.js';
import type { Ability, Side } from '../differential/stage.js';
import { makeTopics } from '../helpers/kafka-admin.js';

const reconnect = backoff({ initialMs: 5, maxMs: 20, minMs: 1 });

/** Topics for all scenarios, made in one go: that takes no longer than making one. */
async function topicsFor(admin: Admin, isReal: boolean): Promise<string[]> {
  const topics = Array.from({ length: 3 * SCENARIOS.length }, (_, at) => `differential-${process.pid}-${at}`);
  // The mock cluster makes a topic when it is first asked about.
  if (isReal) await makeTopics(admin, topics, 1);
  return topics;
}

/** Lines break at one address for all: who breaks them waits for his turn, and the others have another address. */
let turn: Promise<void> = Promise.resolve();

async function breakable(
  behindProxy: NonNullable<KafkaBroker['behindProxy']>,
): Promise<{ address: string; cut(): void; close(): Promise<void> }> {
  const before = turn;
  let over = (): void => undefined;
  turn = new Promise((resolve) => (over = resolve));
  await before;
  const proxy = await faultProxy({ port: behindProxy.port, listenPort: behindProxy.advertisedPort });
  return { address: `127.0.0.1:${proxy.port}`, cut: () => proxy.rst(), close: () => proxy.close().finally(over) };
}

/** Each reader and writer over a link of its own. */
async function kafkaSide(broker: KafkaBroker, admin: Admin, topics: string[], cuts: boolean): Promise<Side> {
  const { behindProxy } = broker;
  const line = cuts && behindProxy !== undefined ? await breakable(behindProxy) : undefined;
  const brokers = [line?.address ?? broker.url];
  const dead = new Map<string, string>();
  const abilities: Ability[] = ['requeue', 'requeued before what waits', 'attempts', 'backlog', 'keys'];
  abilities.push('read ahead unmarked');
  // The mock cluster knows no idempotent producers, which the dead go through.
  if (broker.isReal) abilities.push('dead letters');
  if (behindProxy !== undefined) abilities.push('cut');
  const link = (): KafkaLink => kafkaLink({ brokers, reconnect });
  const groupOf = (topic: string): string => `${topic}-group`;
  const next = (): string => {
    const topic = topics.pop();
    if (topic === undefined) throw new Error('there are too few topics');
    return topic;
  };
  return {
    name: 'Kafka',
    abilities: new Set(abilities),
    async channel({ deadLetters = false }) {
      const topic = next();
      if (deadLetters) dead.set(topic, next());
      return topic;
    },
    deadOf: (topic) => dead.get(topic) as string,
    source(topic, options) {
      const deadTopic = dead.get(topic);
      return kafkaSource(link(), {
        reconnect,
        requeueDelayMs: 0,
        // What was settled counts at once, as in memory.
        commitEvery: 1,
        // Longer than a busy machine keeps a member silent; who is cut off while it joins is missed for so long.
        sessionTimeoutMs: 10_000,
        groupHeartbeatMs: 200,
        maxWaitMs: 50,
        ...options,
        topics: [topic],
        group: groupOf(topic),
        ...(deadTopic === undefined ? {} : { deadTopic }),
      });
    },
    sink: (topic, options) =>
      // One partition, as the broker in memory has no others either.
      kafkaSink(link(), { reconnect, idempotent: broker.isReal, ...options, topic: () => topic, partition: () => 0 }),
    async depth(topic) {
      const end = (await admin.fetchTopicOffsets(topic)).find(({ partition }) => partition === 0);
      const [told] = await admin.fetchOffsets({ groupId: groupOf(topic), topics: [topic] });
      const committed = told?.partitions.find(({ partition }) => partition === 0)?.offset;
      return Number(end?.high) - Math.max(0, Number(committed ?? 0));
    },
    cut: () => line?.cut(),
    close: async () => line?.close(),
  };
}

brokerSuite('The broker in memory beside Kafka', kafka, (broker) => {
  let admin: Admin;
  let topics: string[];
  beforeAll(async () => {
    admin = new Kafka({ brokers: [broker().url], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    topics = await topicsFor(admin, broker().isReal);
  });
  afterAll(() => admin.disconnect());

  describe('over kafkajs', { concurrent: true }, () => {
    compared({
      counts: 'unsettled',
      open: ({ needs }) => kafkaSide(broker(), admin, topics, needs.includes('cut')),
    });
  });
});
